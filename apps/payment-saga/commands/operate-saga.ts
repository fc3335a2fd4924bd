import type { Commands, EventStore } from '#event-store'
import type { Clock, Transactions } from '#kernel'
import { refuse } from '#kernel'
import { HttpCommands, notFound, type CommandRequest, type RecordedAnswer } from '#platform'
import { SagaEngine, type OperatorAction, type Thought } from '#saga'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { sagaView } from '../saga-view.js'
import { CLOCK, STORE, TRANSACTIONS } from '../tokens.js'

/** A person's hand on a saga. */
export class OperateSaga extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly sagaId: string,
    readonly operator: OperatorAction,
    readonly reason: string,
  ) {
    super()
  }
}

@CommandHandler(OperateSaga)
export class OperateSagaHandler implements ICommandHandler<OperateSaga> {
  constructor(
    @Inject(SagaEngine) private readonly engine: SagaEngine,
    @Inject(STORE) private readonly store: EventStore,
    @Inject(TRANSACTIONS) private readonly transactions: Transactions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  execute({ request, sagaId, operator, reason }: OperateSaga): Promise<RecordedAnswer> {
    const { caller, commandId: id, context } = request
    const thought = this.engine.think({ kind: 'operator', id, sagaId, context, by: caller.sub, reason, operator })
    const { stream } = thought
    return new HttpCommands(this.#with(thought), this.clock).execute(request, {
      streams: [stream],
      target: stream,
      status: 200,
      reason,
      decide: (states) => {
        const { state, version } = states.of(stream)
        if (state.phase === 'new') throw notFound('saga')
        const reaction = thought.react(states)
        if (reaction.disposition === 'refused') return refuse(reaction.slug, reaction.detail, 'conflict')
        const { events, messages } = reaction
        return { appends: [{ stream, events }], messages, body: sagaView(reaction.state, version + events.length) }
      },
    })
  }

  /** The write side of this one request: the saga's rows are saved in the transaction of its events. */
  #with(thought: Thought): Commands & { readonly incarnation: string } {
    const { store, transactions } = this
    return {
      incarnation: store.incarnation,
      executeAll: (commands, tx) => store.executeAll(commands, tx),
      execute: (command) =>
        transactions.run(async (tx) => {
          const [answered] = await store.executeAll([command], tx)
          if (!answered) throw new Error('a command without an answer')
          await thought.save(tx)
          return answered
        }),
    }
  }
}
