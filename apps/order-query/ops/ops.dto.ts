import { Flag, Instant, ListOf, Nested, OneOf, PageQuery, Text, Uuid, Whole } from '#platform'
import { ApiProperty } from '@nestjs/swagger'
import { NextCursor } from '../http/reads.js'

export const LETTER_STATUSES = ['PARKED', 'REDRIVEN', 'RECOVERED'] as const
export type LetterStatus = (typeof LETTER_STATUSES)[number]

const TOPIC = { max: 200, optional: true, example: 'orders.events' }
const GROUP = { max: 200, optional: true, description: 'The app that parked it.', example: 'order-query' }
const ERROR_CLASS = { max: 200, optional: true, example: 'ContractViolation' }
const STACK_HASH = { max: 64, optional: true, description: 'Equal faults have equal ones.' }

/** What all must have that are meant; without a field, all. */
export class LetterFilterDto {
  @Text(TOPIC) readonly topic?: string
  @Text(GROUP) readonly group?: string
  @Text({ max: 200, optional: true, description: "The message's.", example: 'OrderPlaced' }) readonly type?: string
  @Text({ max: 200, optional: true }) readonly key?: string
  @Text(ERROR_CLASS) readonly errorClass?: string
  @Text(STACK_HASH) readonly stackHash?: string
  @Instant({ optional: true, description: 'Parked at this time or after it.' }) readonly from?: string
  @Instant({ optional: true, description: 'Parked before this time.' }) readonly to?: string
}

export class DeadLettersQuery extends PageQuery {
  @OneOf(LETTER_STATUSES, { optional: true, description: '`PARKED` unless given.' }) readonly status?: LetterStatus
  @Text(TOPIC) readonly topic?: string
  @Text(GROUP) readonly group?: string
  @Text({ max: 200, optional: true }) readonly type?: string
  @Text({ max: 200, optional: true }) readonly key?: string
  @Text(ERROR_CLASS) readonly errorClass?: string
  @Text(STACK_HASH) readonly stackHash?: string
  @Instant({ optional: true }) readonly from?: string
  @Instant({ optional: true }) readonly to?: string
}

const REASON = { optional: true, max: 500, description: 'Kept beside your name. No personal data.', example: 'mended in release 42' }

export class RedriveDto {
  @Text(REASON) readonly reason?: string
}

export class RedriveManyDto {
  @Text({ ...TOPIC, description: 'All topics unless given.' }) readonly topic?: string
  @Nested(() => LetterFilterDto, { optional: true }) readonly filter?: LetterFilterDto
  @Text(REASON) readonly reason?: string
}

export class RedriveAnswerDto {
  @Uuid() readonly redriveId!: string
  @Whole({ min: 0, max: 1_000, description: 'Letters that were sent back.' }) readonly requested!: number
  @Whole({ min: 0, max: Number.MAX_SAFE_INTEGER, description: 'That the filter also means: ask again for them, with another key.' })
  readonly remaining!: number
}

export class DeadLetterDto {
  @Uuid() readonly id!: string
  @Text({ max: 200, description: 'The app that parked it.' }) readonly group!: string
  @Text({ max: 200 }) readonly topic!: string
  @Whole({ min: 0, max: 100_000 }) readonly partition!: number
  @Text({ max: 19 }) readonly offset!: string
  @Text({ min: 0, max: 1_024 }) readonly key!: string
  @Text({ min: 0, max: 1_024, description: 'Empty where it could not be read; so are `type` and `source`.' }) readonly messageId!: string
  @Text({ min: 0, max: 1_024 }) readonly type!: string
  @Text({ min: 0, max: 1_024 }) readonly source!: string
  @OneOf(LETTER_STATUSES) readonly status!: LetterStatus
  @Text({ max: 200 }) readonly errorClass!: string
  @Text({ min: 0, max: 300, description: 'What could be personal data is masked.' }) readonly error!: string
  @Text({ max: 64 }) readonly stackHash!: string
  @Whole({ min: 0, max: Number.MAX_SAFE_INTEGER }) readonly attempts!: number
  @Instant() readonly parkedAt!: string
  @Text({ max: 1_024 }) readonly correlationId!: string
  @Text({ max: 1_024, optional: true }) readonly traceparent?: string
}

class LetterChangeDto {
  @Instant() readonly at!: string
  @OneOf([...LETTER_STATUSES, 'REDRIVE_REQUESTED']) readonly type!: string
  @Text({ max: 255, optional: true }) readonly by?: string
  @Text({ max: 500, optional: true }) readonly reason?: string
  @Text({ max: 200, optional: true }) readonly errorClass?: string
  @Whole({ min: 0, max: Number.MAX_SAFE_INTEGER, optional: true }) readonly attempts?: number
}

export class DeadLetterEntryDto extends DeadLetterDto {
  @ListOf(() => LetterChangeDto, { max: 200 }) readonly history!: readonly LetterChangeDto[]
}

export class DeadLetterPageDto {
  @ListOf(() => DeadLetterDto, { max: 100 }) readonly items!: readonly DeadLetterDto[]
  @NextCursor() readonly nextCursor!: string | null
}

class PartitionDto {
  @Text({ max: 200 }) readonly topic!: string
  @Whole({ min: 0, max: 100_000 }) readonly partition!: number
  @Text({ max: 19, description: 'The first offset that is not handled.' }) readonly next!: string
  @Whole({ min: 0, max: Number.MAX_SAFE_INTEGER, description: 'Messages that are not handled.' }) readonly lag!: number
  @ApiProperty({ type: 'number', minimum: 0, description: 'For how long the oldest of them has waited.' }) readonly lagSeconds!: number
  @Whole({ min: 0, max: Number.MAX_SAFE_INTEGER, description: 'Put aside, to be tried again.' }) readonly deferred!: number
  @Whole({ min: 0, max: Number.MAX_SAFE_INTEGER, description: 'Dead letters that nobody sent back.' }) readonly parked!: number
  @Flag({ description: 'Whether a living process has the partition.' }) readonly owned!: boolean
  @OneOf(['went-back', 'removed-unread', 'another-log'], { optional: true, description: 'Why it stands: its place is not in the log.' })
  readonly gap?: string
  @OneOf(['open', 'half-open'], {
    optional: true,
    description: 'Its batches are held back, or one of the topic probes, because what their handler needs is away. Absent: they go on.',
  })
  readonly breaker?: string
  @Instant({ description: 'Its owner told then; `lag` is as of now.' }) readonly toldAt!: string
}

class GroupDto {
  @Text({ max: 200, description: "The app's name." }) readonly group!: string
  @Whole({ min: 0, max: Number.MAX_SAFE_INTEGER }) readonly lag!: number
  @ApiProperty({ type: 'number', minimum: 0, description: 'The longest of its partitions.' }) readonly lagSeconds!: number
  @Whole({ min: 0, max: Number.MAX_SAFE_INTEGER }) readonly deferred!: number
  @Whole({ min: 0, max: Number.MAX_SAFE_INTEGER }) readonly parked!: number
  @Flag({ description: 'Every partition has an owner, and none stands.' }) readonly healthy!: boolean
  @ListOf(() => PartitionDto, { max: 10_000 }) readonly partitions!: readonly PartitionDto[]
}

export class ConsumersDto {
  @ListOf(() => GroupDto, { max: 1_000 }) readonly items!: readonly GroupDto[]
}
