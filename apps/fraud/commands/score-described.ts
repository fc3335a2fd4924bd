import type { Commands } from '#event-store'
import { featuresOf, type Transaction as Scorable } from '#fraud'
import type { Clock, JsonObject, Transactions } from '#kernel'
import { HttpCommands, type CommandRequest, type RecordedAnswer } from '#platform'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import type { FeatureStore, ScoredTransaction } from '../scoring/feature-store.js'
import type { Models } from '../scoring/scorecards.js'
import { CLOCK, FEATURES, MODELS, STORE, TRANSACTIONS } from '../tokens.js'

/** Scores a described transaction. Counted, it is in the background of those after it; else nothing is kept. */
export class ScoreDescribed extends Command<RecordedAnswer | JsonObject> {
  constructor(
    readonly request: CommandRequest,
    readonly transaction: Scorable,
    readonly counted: boolean,
  ) {
    super()
  }
}

@CommandHandler(ScoreDescribed)
export class ScoreDescribedHandler implements ICommandHandler<ScoreDescribed> {
  constructor(
    @Inject(FEATURES) private readonly features: FeatureStore,
    @Inject(MODELS) private readonly models: Models,
    @Inject(STORE) private readonly store: Pick<Commands, 'executeAll'> & { readonly incarnation: string },
    @Inject(TRANSACTIONS) private readonly transactions: Transactions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ request, transaction, counted }: ScoreDescribed): Promise<RecordedAnswer | JsonObject> {
    const startedAt = this.clock.now()
    const scored = await this.#score(request.commandId, transaction)
    const { score, decision, reasons } = scored.score
    const body = {
      score,
      decision,
      reasons: reasons.map(({ code, contribution, text }) => ({ code, contribution, text })),
      modelVersion: scored.modelVersion,
      latencyMs: this.clock.now() - startedAt,
    }
    return counted ? this.#counting(scored).execute(request, { streams: [], status: 200, decide: () => ({ body }) }) : body
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

  /** The row and the answer commit together: the same key again finds both or neither. */
  #counting(scored: ScoredTransaction): HttpCommands {
    const { incarnation } = this.store
    const execute: Commands['execute'] = (command) =>
      this.transactions.run(async (tx) => {
        await this.features.record(tx, [scored])
        const [answered] = await this.store.executeAll([command], tx)
        if (!answered) throw new Error('the store answered no command')
        return answered
      })
    return new HttpCommands({ incarnation, execute, executeAll: (commands, tx) => this.store.executeAll(commands, tx) }, this.clock)
  }
}
