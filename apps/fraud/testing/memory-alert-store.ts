import type { AlertEvent } from '#fraud'
import { paise, type Transaction } from '#kernel'
import { asMemory } from '#kernel/testing'
import { statusOf, type AlertRow, type AlertStore } from '../alerts/alert-store.js'

export class MemoryAlertStore implements AlertStore {
  readonly #rows = new Map<string, AlertRow>()

  project(tx: Transaction, events: readonly AlertEvent[]): Promise<void> {
    asMemory(tx).onCommit(() => {
      for (const event of events) this.#apply(event)
    })
    return Promise.resolve()
  }

  get(alertId: string): Promise<AlertRow | undefined> {
    return Promise.resolve(this.#rows.get(alertId))
  }

  list({ status, after, limit }: Parameters<AlertStore['list']>[0]): Promise<readonly AlertRow[]> {
    const rows = [...this.#rows.values()]
      .filter(
        (row) =>
          (status === undefined ? row.share === undefined : statusOf(row) === status) && (after === undefined || row.alertId > after),
      )
      .toSorted((a, b) => (a.alertId < b.alertId ? -1 : 1))
    return Promise.resolve(rows.slice(0, limit))
  }

  due(now: number, limit: number, except: readonly string[] = []): Promise<readonly string[]> {
    const rows = [...this.#rows.values()]
      .filter(({ alertId, decided, dueAt }) => decided === undefined && dueAt <= now && !except.includes(alertId))
      .toSorted((a, b) => a.dueAt - b.dueAt)
    return Promise.resolve(rows.slice(0, limit).map(({ alertId }) => alertId))
  }

  #apply(event: AlertEvent): void {
    const { alertId } = event.data
    if (event.type === 'SampleLapsed') {
      this.#rows.delete(alertId)
      return
    }
    if (event.type === 'AlertRaised' || event.type === 'SampleTaken') {
      const { at, dueAt, amount, ...rest } = event.data
      this.#rows.set(alertId, { ...rest, amount: paise(amount), raisedAt: Date.parse(at), dueAt: Date.parse(dueAt) })
      return
    }
    const row = this.#rows.get(alertId)
    const { decision, by, note, at } = event.data
    if (row) this.#rows.set(alertId, { ...row, decided: { decision, by, note, at: Date.parse(at) } })
  }
}
