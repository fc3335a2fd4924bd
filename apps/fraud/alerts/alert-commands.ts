import type { Answered, Command, Commands, Decision } from '#event-store'
import type { Transaction, Transactions } from '#kernel'
import type { AlertStore } from './alert-store.js'
import { isAlertEvent } from './alert-stream.js'

/**
 * The write side whose alert events reach the alerts' rows in the same transaction, so that the review queue is never behind a decision.
 * Every writer takes the store's lock first and the rows after it: none waits for another in a circle.
 */
export class AlertCommands implements Commands {
  constructor(
    private readonly store: Pick<Commands, 'executeAll'> & { readonly incarnation: string },
    private readonly alerts: AlertStore,
    private readonly transactions: Transactions,
  ) {}

  get incarnation(): string {
    return this.store.incarnation
  }

  execute(command: Command): Promise<Answered> {
    return this.transactions.run(async (tx) => {
      const [answered] = await this.executeAll([command], tx)
      if (!answered) throw new Error('the store answered no command')
      return answered
    })
  }

  async executeAll(commands: readonly Command[], tx: Transaction): Promise<readonly Answered[]> {
    // A command may be decided again after a conflict: the last decision is the one that was written.
    const decisions: (Decision | undefined)[] = []
    const watched = commands.map((command, at): Command => ({
      ...command,
      decide: (states) => {
        const decision = command.decide(states)
        decisions[at] = decision
        return decision
      },
    }))
    const answers = await this.store.executeAll(watched, tx)
    const events = answers.flatMap(({ replayed }, at) =>
      replayed ? [] : (decisions[at]?.appends ?? []).flatMap((append) => append.events.filter(isAlertEvent)),
    )
    if (events.length > 0) await this.alerts.project(tx, events)
    return answers
  }
}
