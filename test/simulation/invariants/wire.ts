import { REPLIES } from '#contracts'
import type { StoredRecord } from '#messaging'
import type { MemoryBroker } from '#messaging/testing'
import type { Database } from '../database.js'
import { Violation } from '../violation.js'
import type { Outbox } from '#kernel'

/** What the apps tell each other: one command, one meaning, one answer; and a relay moves on only past what the log has. */
export class Wire {
  readonly #places: { readonly records: readonly StoredRecord[]; read: number }[]
  readonly #origins = new Set<string>()
  readonly #commands = new Map<string, string>()
  readonly #answers = new Map<string, string>()
  readonly #relays: { readonly database: Database; readonly outbox: Outbox; checked: bigint }[]

  constructor(
    broker: MemoryBroker,
    topics: readonly string[],
    outboxes: readonly { readonly database: Database; readonly outbox: Outbox }[],
  ) {
    this.#places = topics.flatMap((topic) => broker.records(topic)).map((records) => ({ records, read: 0 }))
    this.#relays = outboxes.map((each) => ({ ...each, checked: 0n }))
  }

  async check(): Promise<void> {
    for (const place of this.#places) while (place.read < place.records.length) this.#take(place.records[place.read++])
    for (const relay of this.#relays) if (relay.database.data.relay.position > relay.checked) await this.#checkRelay(relay)
  }

  /** Whether everything committed is in the log. */
  get drained(): boolean {
    return this.#relays.every(({ database: { data } }) => {
      const last = [data.events.at(-1)?.position ?? 0n, data.messages.at(-1)?.position ?? 0n]
      return last.every((position) => position <= data.relay.position)
    })
  }

  #take(record: StoredRecord | undefined): void {
    if (!record) return
    const { headers, topic } = record
    this.#origins.add(`${headers['ce_source']}/${headers['originposition']}/${headers['originordinal']}`)
    const value = Buffer.from(record.value).toString()
    if (topic === REPLIES) {
      const { commandId } = JSON.parse(value) as { commandId: string }
      const before = this.#answers.get(commandId)
      if (before !== undefined && before !== value) throw new Violation(5, `command ${commandId} had two answers: ${before} and ${value}`)
      this.#answers.set(commandId, value)
    } else if (topic.endsWith('.commands')) {
      const id = headers['ce_id'] ?? ''
      const before = this.#commands.get(id)
      if (before !== undefined && before !== value) throw new Violation(5, `command ${id} was sent with two meanings`)
      this.#commands.set(id, value)
    }
  }

  async #checkRelay(relay: { readonly database: Database; readonly outbox: Outbox; checked: bigint }): Promise<void> {
    const { position } = relay.database.data.relay
    while (relay.checked < position) {
      const page = await relay.outbox.after(relay.checked, 100)
      if (page.length === 0) break
      for (const entry of page) {
        if (entry.position > position) return
        entry.messages.forEach((message, ordinal) => {
          if (!this.#origins.has(`${relay.database.app}/${entry.position}/${ordinal}`))
            throw new Violation(
              6,
              `the relay of ${relay.database.app} moved past ${message.type} at ${entry.position}, which is not in the log`,
            )
        })
        relay.checked = entry.position
      }
    }
  }
}
