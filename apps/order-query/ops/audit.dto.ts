import { Instant, ListOf, PageQuery, Text, Whole } from '#platform'
import { ApiProperty } from '@nestjs/swagger'
import { NextCursor } from '../http/reads.js'

export class AuditQuery extends PageQuery {
  @Text({ max: 128, optional: true, description: 'Who: the `sub` of their tokens.' }) readonly actor?: string
  @Text({ max: 64, optional: true, description: 'In which app.', example: 'wallet' }) readonly app?: string
  @Text({ max: 300, optional: true, example: 'POST /v1/wallets/:id/freeze' }) readonly action?: string
  @Text({ max: 1_024, optional: true, description: 'On what: the path that was called.' }) readonly path?: string
  @Instant({ optional: true }) readonly from?: string
  @Instant({ optional: true, description: 'Before this time.' }) readonly to?: string
}

export class ActDto {
  @Instant() readonly at!: string
  @Text({ max: 64, description: 'The app in whose store it is, under a hash chain.' }) readonly app!: string
  @Text({ max: 128, description: 'The `sub` of who did it.' }) readonly actor!: string
  @ApiProperty({ type: 'array', items: { type: 'string' }, description: 'By which of their roles they might.' })
  readonly roles!: readonly string[]
  @Text({ max: 300, description: 'Method and path, with its parameters named.' }) readonly action!: string
  @Text({ max: 1_024, description: 'On what: the path that was called.' }) readonly path!: string
  @Whole({ min: 200, max: 499, description: 'What it was answered.' }) readonly status!: number
  @Text({ max: 64, optional: true, description: 'The slug of the problem, where it was refused.' }) readonly refused?: string
  @Text({ max: 2_000, optional: true, description: 'Why, in their words; what could be personal data is masked.' }) readonly reason?: string
  @Text({ max: 1_024 }) readonly correlationId!: string
  @Text({ max: 1_024 }) readonly commandId!: string
}

export class AuditPageDto {
  @ListOf(() => ActDto, { max: 100 }) readonly items!: readonly ActDto[]
  @NextCursor() readonly nextCursor!: string | null
}
