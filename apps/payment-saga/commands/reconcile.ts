import { refuse } from '#kernel'
import { HttpCommands, notFound, problemOfRefusal, type CommandRequest, type RecordedAnswer } from '#platform'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { caseView } from '../http/reconciliation.view.js'
import { Reconciler } from '../reconciliation/reconciler.js'
import { ReconciliationReports } from '../reconciliation/reports.js'

/** A day's books are held against the provider's file, now. */
export class Reconcile extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly date: string,
    readonly reason: string,
  ) {
    super()
  }
}

@CommandHandler(Reconcile)
export class ReconcileHandler implements ICommandHandler<Reconcile> {
  constructor(
    @Inject(Reconciler) private readonly reconciler: Reconciler,
    @Inject(HttpCommands) private readonly http: HttpCommands,
  ) {}

  async execute({ request, date, reason }: Reconcile): Promise<RecordedAnswer> {
    const answer = await this.http.execute(request, {
      streams: [],
      status: 202,
      reason,
      decide: () => ({ body: { date, status: 'WAITING' } }),
      alongside: (tx) => this.reconciler.ask(date, request.caller.sub, reason, tx),
    })
    this.reconciler.ring()
    return answer
  }
}

/** A person settles a difference by their word. */
export class ResolveCase extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly caseId: string,
    readonly reason: string,
    /** Milliseconds since the epoch. */
    readonly at: number,
  ) {
    super()
  }
}

@CommandHandler(ResolveCase)
export class ResolveCaseHandler implements ICommandHandler<ResolveCase> {
  constructor(
    @Inject(ReconciliationReports) private readonly reports: ReconciliationReports,
    @Inject(HttpCommands) private readonly http: HttpCommands,
  ) {}

  async execute({ request, caseId, reason, at }: ResolveCase): Promise<RecordedAnswer> {
    const found = await this.reports.case(caseId)
    if (!found) throw notFound('reconciliation case')
    const by = request.caller.sub
    const resolved = {
      ...found,
      version: found.version + 1,
      status: 'RESOLVED' as const,
      resolvedAt: new Date(at),
      resolvedBy: by,
      resolution: reason,
    }
    return this.http.execute(request, {
      streams: [],
      status: 200,
      reason,
      version: found.version,
      decide: () => (found.status === 'OPEN' ? { body: caseView(resolved) } : ALREADY),
      alongside: async (tx) => {
        if (found.status !== 'OPEN' || (await this.reports.resolve(found, by, reason, at, tx))) return
        // Somebody was faster, or another file came; nothing of this command is kept.
        throw problemOfRefusal(MOVED_ON)
      },
    })
  }
}

const MOVED_ON = refuse('invalid-transition', 'the case has changed at this moment: look at it again', 'conflict')

const ALREADY = refuse('invalid-transition', 'the case is resolved', 'conflict')
