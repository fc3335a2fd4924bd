import type { Clock, Ids, JsonObject } from '#kernel'
import { REDRIVES } from '#contracts'
import { requestRedrive, type LogDriver } from '#messaging'
import { APP_LOG, HttpCommands, masked, notFound, unavailable, type CommandRequest, type RecordedAnswer } from '#platform'
import { asTypeorm } from '#projections'
import { Inject, Injectable } from '@nestjs/common'
import type { Logger } from 'pino'
import { DataSource, type EntityManager } from 'typeorm'
import { CLOCK, IDS, LOG_DRIVER } from '../tokens.js'
import { KEEP_ACT } from './audit.js'
import { conditionOf, DeadLetters } from './dead-letters.js'
import type { LetterFilterDto } from './ops.dto.js'

/** Letters of one request; the answer says how many are left for the next. */
export const MOST_LETTERS = 1_000

interface Redrive {
  readonly ids: readonly string[]
  /** Letters that the filter means beyond these. */
  readonly remaining: number
  readonly filter: JsonObject
  readonly reason: string | undefined
}

/**
 * Asks the groups that parked them to take letters up again. A letter that is asked for twice is taken up once: the group decides, in the
 * transaction that puts it back. Every request is kept, with who and why, and is an act in this app's own store, under its hash chain.
 */
@Injectable()
export class Redrives {
  constructor(
    @Inject(DataSource) private readonly source: DataSource,
    @Inject(DeadLetters) private readonly letters: DeadLetters,
    @Inject(HttpCommands) private readonly commands: HttpCommands,
    @Inject(LOG_DRIVER) private readonly driver: LogDriver,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(IDS) private readonly ids: Ids,
    @Inject(APP_LOG) private readonly log: Logger,
  ) {}

  async one(id: string, reason: string | undefined, request: CommandRequest): Promise<RecordedAnswer> {
    const letter = await this.letters.find(id)
    if (!letter) throw notFound('dead letter')
    return this.#redrive(request, { ids: letter.status === 'PARKED' ? [id] : [], remaining: 0, filter: { id }, reason })
  }

  /** Those that are parked, and not asked for since, the oldest first. */
  async byFilter(filter: LetterFilterDto, reason: string | undefined, request: CommandRequest): Promise<RecordedAnswer> {
    const { text, values } = conditionOf(filter)
    const rows = await this.source.query<{ readonly id: string; readonly waiting: number }[]>(
      `SELECT id, (count(*) OVER ())::int AS waiting FROM dead_letters
        WHERE ${text} AND status = 'PARKED' AND asked_revision IS DISTINCT FROM revision ORDER BY parked_at, id LIMIT ${MOST_LETTERS}`,
      [...values],
    )
    const ids = rows.map(({ id }) => id)
    return this.#redrive(request, { ids, remaining: (rows[0]?.waiting ?? 0) - ids.length, filter: { ...filter }, reason })
  }

  #redrive(request: CommandRequest, redrive: Redrive): Promise<RecordedAnswer> {
    const { ids, remaining, reason } = redrive
    const redriveId = this.ids.next()
    return this.commands.execute(request, {
      streams: [],
      status: 200,
      ...(reason !== undefined && { reason }),
      decide: () => ({ body: { redriveId, requested: ids.length, remaining } }),
      alongside: (tx) => this.#ask(asTypeorm(tx).manager, redriveId, request, redrive),
    })
  }

  /** Recorded before it is sent; a commit that fails after that leaves letters asked for and no record here, but `by` travels with each. */
  async #ask(manager: EntityManager, redriveId: string, request: CommandRequest, { ids, filter, reason }: Redrive): Promise<void> {
    const { commandId, caller, act, context } = request
    const at_ms = this.clock.now()
    await manager.query(
      'INSERT INTO redrives (redrive_id, command_id, by, reason, at, filter, letters) VALUES ($1, $2, $3, $4, $5, $6, $7)',
      [redriveId, commandId, caller.sub, reason ?? null, new Date(at_ms), JSON.stringify(filter), ids],
    )
    if (act) {
      const { action, path, roles } = act
      const why = reason === undefined ? null : masked(reason)
      // What other apps publish: this one has no relay, and keeps it where theirs are collected.
      const by = [caller.sub, roles, action, path, 200, null, why]
      await manager.query(KEEP_ACT, [`order-query/${redriveId}`, 'order-query', ...by, context.correlationId, commandId, new Date(at_ms)])
    }
    if (ids.length === 0) return
    await this.#stayInLog(manager)
    await manager.query('UPDATE dead_letters SET asked_revision = revision WHERE id = ANY ($1)', [ids])
    await requestRedrive(this.driver, { ids, by: caller.sub, at_ms }).catch((error: unknown) => {
      throw unavailable(error)
    })
    this.log.info({ redriveId, by: caller.sub, letters: ids.length }, 'dead letters are sent back')
  }

  /** While the system is moved to another log, those who are asked may have read this one to its end: till this is committed it is not left. */
  async #stayInLog(manager: EntityManager): Promise<void> {
    const places: readonly { readonly left: boolean }[] = await manager.query(
      `SELECT leaving OR coalesce(log <> $3, false) AS left FROM consumer_offset WHERE "group" = $1 AND topic = $2 FOR SHARE`,
      ['order-query', REDRIVES, this.driver.name],
    )
    if (places.some(({ left }) => left)) throw unavailable(new Error('the group is leaving this log'))
  }
}
