import { refuse } from '#kernel'
import { HttpCommands, invalidInput, notFound, type CommandRequest, type RecordedAnswer } from '#platform'
import { SagaEngine, type OperatorAction } from '#saga'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { sagaView } from '../saga-view.js'

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
    @Inject(HttpCommands) private readonly http: HttpCommands,
  ) {}

  execute({ request, sagaId, operator, reason }: OperateSaga): Promise<RecordedAnswer> {
    const { caller, commandId: id, context } = request
    const thought = this.engine.think({ kind: 'operator', id, sagaId, context, by: caller.sub, reason, operator })
    const { stream } = thought
    return this.http.execute(request, {
      streams: [stream],
      target: stream,
      status: 200,
      reason,
      decide: (states) =>
        thought.decide(states, (saga, version, react) => {
          if (saga.phase === 'new') throw notFound('saga')
          const reaction = react()
          if (reaction.disposition === 'refused') {
            const { slug, detail, lacks } = reaction
            if (lacks) throw invalidInput(lacks.map((name) => ({ pointer: `/${name}`, detail: `must be given: ${detail}` })))
            return refuse(slug, detail, 'conflict')
          }
          const { events, messages } = reaction
          return { appends: [{ stream, events }], messages, body: sagaView(reaction.state, version + events.length) }
        }),
      alongside: (tx) => thought.save(tx),
    })
  }
}
