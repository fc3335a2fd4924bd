import { alert, type AlertDecision } from '#fraud'
import { isRefusal, type Clock } from '#kernel'
import { HttpCommands, notFound, type CommandRequest, type RecordedAnswer } from '#platform'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import type { AlertStore } from '../alerts/alert-store.js'
import { alertStream } from '../alerts/alert-stream.js'
import { alertView } from '../alerts/alert-view.js'
import { ALERTS, CLOCK } from '../tokens.js'

export class DecideAlert extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly alertId: string,
    readonly decision: AlertDecision,
    readonly note: string,
  ) {
    super()
  }
}

@CommandHandler(DecideAlert)
export class DecideAlertHandler implements ICommandHandler<DecideAlert> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(ALERTS) private readonly alerts: AlertStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  async execute({ request, alertId, decision, note }: DecideAlert): Promise<RecordedAnswer> {
    const row = await this.alerts.get(alertId)
    if (!row) throw notFound('alert')
    const now = this.clock.now()
    const by = request.caller.sub
    const stream = alertStream(alertId)
    return this.http.execute(request, {
      streams: [stream],
      target: stream,
      status: 200,
      reason: note,
      correlationId: row.orderId,
      decide(states) {
        const { state } = states.of(stream)
        const events = alert.decide({ type: 'DecideAlert', decision, by, note, at: new Date(now).toISOString() }, state)
        if (isRefusal(events)) return events
        return { appends: [{ stream, events }], body: alertView({ ...row, decided: { decision, by, note, at: now } }) }
      },
    })
  }
}
