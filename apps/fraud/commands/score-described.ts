import { featuresOf, type Transaction as Scorable } from '#fraud'
import type { Clock, JsonObject, Transaction } from '#kernel'
import { HttpCommands, idempotencyKeyReused, type CommandRequest, type RecordedAnswer } from '#platform'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import type { FeatureStore, ScoredTransaction } from '../scoring/feature-store.js'
import type { Models } from '../scoring/scorecards.js'
import { CLOCK, FEATURES, MODELS } from '../tokens.js'

/** Scores a described transaction. Counted, it is in the background of those after it; else nothing is kept. */
export class ScoreDescribed extends Command<RecordedAnswer | JsonObject> {
  constructor(
    readonly request: CommandRequest,
    readonly transaction: Scorable,
    readonly counted: boolean,
    /** Whether the caller said when it is placed; else it is of now, and each call says another. */
    readonly timed = false,
  ) {
    super()
  }
}

@CommandHandler(ScoreDescribed)
export class ScoreDescribedHandler implements ICommandHandler<ScoreDescribed> {
  constructor(
    @Inject(FEATURES) private readonly features: FeatureStore,
    @Inject(MODELS) private readonly models: Models,
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ request, transaction, counted, timed }: ScoreDescribed): Promise<RecordedAnswer | JsonObject> {
    const startedAt = this.clock.now()
    const scored = await this.#score(request.commandId, transaction)
    // The row outlives the answer that was kept under the key.
    if (counted && !isSame(scored.transaction, transaction, timed)) throw idempotencyKeyReused()
    const { score, decision, reasons } = scored.score
    const body = {
      score,
      decision,
      reasons: reasons.map(({ code, contribution, text }) => ({ code, contribution, text })),
      modelVersion: scored.modelVersion,
      latencyMs: this.clock.now() - startedAt,
    }
    if (!counted) return body
    // The row and the answer commit together: the same key again finds both or neither.
    const alongside = (tx: Transaction) => this.features.record(tx, [scored])
    return this.http.execute(request, { streams: [], status: 200, decide: () => ({ body }), alongside })
  }

  async #score(id: string, transaction: Scorable): Promise<ScoredTransaction> {
    const model = await this.models.current()
    const { backgrounds, known } = await this.features.read([{ id, transaction }])
    return (
      known.get(id) ?? {
        id,
        transaction,
        score: model.score(featuresOf(transaction, backgrounds.of(transaction))),
        modelVersion: model.version,
        scoredAt: this.clock.now(),
      }
    )
  }
}

const isSame = (one: Scorable, other: Scorable, timed: boolean): boolean =>
  one.customerId === other.customerId &&
  one.amount === other.amount &&
  one.method === other.method &&
  one.addressHash === other.addressHash &&
  one.deviceHash === other.deviceHash &&
  (!timed || one.at === other.at)
