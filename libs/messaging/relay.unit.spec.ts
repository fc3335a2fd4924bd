import { describe, expect, it, jest } from '@jest/globals'
import { setImmediate } from 'node:timers/promises'
import { systemClock, type Clock, type Outbox, type OutboxEntry, type OutgoingMessage } from '#kernel'
import { eventually, FakeClock, seededRandom } from '#kernel/testing'
import { Relay, type LogRecord, type RelayListener, type RelayOptions } from '#messaging'
import { MemoryBroker, memoryLog, type MemoryLogHooks } from '#messaging/testing'

const message = (key: string, text: string): OutgoingMessage => ({
  topic: 't',
  key,
  type: 'Said',
  schemaVersion: 1,
  data: { text },
  context: { correlationId: key, causationId: 'test' },
})

class MemoryOutbox implements Outbox {
  readonly incarnation = 'inc'
  readonly entries: OutboxEntry[] = []
  readonly #rings = new Set<() => void>()
  position = 0n
  epoch = 0n
  owner: string | undefined
  failing = false

  constructor(private readonly clock: Clock) {}

  commit(...messages: readonly OutgoingMessage[]): void {
    this.entries.push({ position: BigInt(this.entries.length + 1), time: this.clock.now(), messages })
    for (const ring of this.#rings) ring()
  }
  after(position: bigint, limit: number): Promise<readonly OutboxEntry[]> {
    if (this.failing) return Promise.reject(new Error('a publisher that throws'))
    return Promise.resolve(this.entries.slice(Number(position), Number(position) + limit))
  }
  lease(owner: string): Promise<{ epoch: bigint; position: bigint } | undefined> {
    if (this.owner !== undefined && this.owner !== owner) return Promise.resolve(undefined)
    if (this.owner !== owner) this.epoch++
    this.owner = owner
    return Promise.resolve({ epoch: this.epoch, position: this.position })
  }
  advance(epoch: bigint, position: bigint): Promise<boolean> {
    if (epoch !== this.epoch) return Promise.resolve(false)
    this.position = position
    return Promise.resolve(true)
  }
  release(epoch: bigint): Promise<void> {
    if (epoch === this.epoch) this.owner = undefined
    return Promise.resolve()
  }
  onDoorbell(ring: () => void): Promise<{ close(): Promise<void> }> {
    this.#rings.add(ring)
    return Promise.resolve({ close: () => Promise.resolve(void this.#rings.delete(ring)) })
  }
}

const setUp = async (hooks: MemoryLogHooks = {}, listener: RelayListener = {}, options: Partial<RelayOptions> = {}) => {
  const outbox = new MemoryOutbox(options.clock ?? systemClock)
  const broker = new MemoryBroker()
  const driver = memoryLog(broker, { hooks })
  await driver.ensureTopics([{ name: 't', partitions: 1, retention_ms: 60_000 }])
  const relay = (more: RelayListener = {}) =>
    new Relay({
      outbox,
      driver,
      app: 'app',
      random: seededRandom(1),
      page: 4,
      poll_ms: 20,
      leaseTtl_ms: 60,
      listener: { ...listener, ...more },
      ...options,
    })
  const ids = () => (broker.records('t')[0] ?? []).map(({ headers }) => headers['ce_id'])
  return { outbox, broker, relay, ids }
}

describe('relay', () => {
  it('publishes in commit order, with ids made of the place, and moves its position behind the acknowledgements', async () => {
    const { outbox, relay, ids, broker } = await setUp()
    for (let n = 0; n < 6; n++) outbox.commit(message('k', `a${n}`), message('l', `b${n}`))
    outbox.commit()
    outbox.commit({ ...message('k', 'named'), id: 'command-1' })
    const running = relay()
    await running.start()
    await eventually('published', () => ids().length === 13)
    outbox.commit(message('k', 'after the doorbell'))
    await eventually('and the rest', () => ids().length === 14 && outbox.position === 9n)
    expect(ids().slice(0, 3)).toEqual(['inc/1/0', 'inc/1/1', 'inc/2/0'])
    expect(ids().slice(-2)).toEqual(['command-1', 'inc/9/0'])
    expect(broker.records('t')[0]?.[0]?.headers).toMatchObject({ ce_source: 'app', ce_specversion: '1.0', originposition: '1' })
    await running.stop()
    expect(outbox.owner).toBeUndefined()
  })

  it('sends what is committed while it waits when the doorbell rings, not at the next poll', async () => {
    const { outbox, relay, ids } = await setUp({}, {}, { poll_ms: 600_000, leaseTtl_ms: 1_800_000 })
    outbox.commit(message('k', 'found when it starts'))
    const running = relay()
    await running.start()
    await eventually('it has read all there is', () => ids().length === 1)
    outbox.commit(message('k', 'a'))
    await eventually('woken', () => ids().length === 2, 5_000)
    await running.stop()
  })

  it('moves its position only once the log has acknowledged', async () => {
    const gate = Promise.withResolvers<void>()
    let sends = 0
    const { outbox, relay } = await setUp({
      async send(_, store) {
        sends++
        await gate.promise
        store()
      },
    })
    const advance = jest.spyOn(outbox, 'advance')
    outbox.commit(message('k', 'a'))
    const running = relay()
    await running.start()
    await eventually('it sends', () => sends === 1)
    await setImmediate()
    expect(advance).not.toHaveBeenCalled()
    expect([outbox.position, running.state().position]).toEqual([0n, 0n])
    gate.resolve()
    await eventually('it moved', () => outbox.position === 1n)
    expect(advance).toHaveBeenCalledTimes(1)
    await running.stop()
  })

  it('outlasts hours without the log: it knocks no oftener than its backoff, however much is committed, and sends all of it once', async () => {
    const clock = new FakeClock()
    const outage_ms = 3 * 3_600_000
    const longestPause_ms = 10_000
    let [sends, away] = [0, true]
    const { outbox, relay, ids } = await setUp(
      {
        send(_, store) {
          sends++
          if (away) return Promise.reject(new Error('no broker'))
          store()
          return Promise.resolve()
        },
      },
      {},
      { clock, page: 25, leaseTtl_ms: 10_000, poll_ms: 1_000 },
    )
    /** Everything is in memory: what can be done without time passing is done in a turn. */
    const pass = async (by_ms: number) => {
      for (const until = clock.now() + by_ms; clock.now() < until; await setImmediate()) {
        await eventually('it waits', () => clock.nextWake() !== undefined)
        clock.advance(Math.min(until, clock.nextWake() ?? until) - clock.now())
        expect(sends).toBeLessThan((2 * outage_ms) / longestPause_ms + 10)
      }
    }
    const lease = jest.spyOn(outbox, 'lease')
    outbox.commit(message('k', 'the first'))
    const running = relay()
    await running.start()
    await eventually('it was refused', () => !running.healthy())
    await pass(outage_ms / 2)
    const before = sends
    for (let n = 1; n < 500; n++) {
      outbox.commit(message('k', String(n)))
      await setImmediate()
    }
    expect(sends).toBe(before)
    await pass(outage_ms / 2 + longestPause_ms)
    expect(sends).toBeGreaterThan(outage_ms / longestPause_ms)
    expect(lease.mock.calls.length).toBeGreaterThanOrEqual(sends)
    expect(running.healthy()).toBe(false)
    expect(running.state().position).toBe(0n)
    expect(running.state().age_ms).toBeGreaterThanOrEqual(outage_ms)
    // It gave its lease to nobody.
    expect({ epoch: outbox.epoch, held: outbox.owner !== undefined }).toEqual({ epoch: 1n, held: true })

    away = false
    await pass(longestPause_ms)
    await eventually('well, and nothing waits', () => running.healthy() && running.state().age_ms === 0)
    expect(ids()).toEqual(Array.from({ length: 500 }, (_, n) => `inc/${n + 1}/0`))
    expect(outbox.epoch).toBe(1n)
    await running.stop()
  })

  it('sends again what was not acknowledged, in order, one batch at a time, and skips nothing', async () => {
    let inFlight = 0
    let most = 0
    let count = 0
    const { outbox, relay, ids } = await setUp({
      async send(_: readonly LogRecord[], store) {
        most = Math.max(most, ++inFlight)
        await Promise.resolve()
        inFlight--
        count++
        if (count % 3 === 1) throw new Error('never arrived')
        store()
        if (count % 3 === 2) throw new Error('the answer was lost')
      },
    })
    for (let n = 0; n < 20; n++) outbox.commit(message('k', String(n)))
    const running = relay()
    await running.start()
    await eventually('all acknowledged', () => outbox.position === 20n)
    const firsts = [...new Set(ids())]
    expect(firsts).toEqual(Array.from({ length: 20 }, (_, n) => `inc/${n + 1}/0`))
    expect(most).toBe(1)
    await running.stop()
  })

  it('stands loudly where a publisher throws, and goes on from there once it is mended', async () => {
    const errors: unknown[] = []
    const { outbox, relay, ids } = await setUp({}, { onError: ({ error }) => void errors.push(error) })
    outbox.failing = true
    outbox.commit(message('k', 'a'))
    const running = relay()
    await running.start()
    await eventually('it says so', () => errors.length > 0 && !running.healthy())
    expect(ids()).toEqual([])
    outbox.failing = false
    await eventually('published', () => ids().length === 1 && running.healthy())
    await running.stop()
  })

  it('is well again as a standby after it failed as the one that publishes', async () => {
    const errors: unknown[] = []
    const { outbox, relay } = await setUp({}, { onError: ({ error }) => errors.push(error) })
    outbox.failing = true
    outbox.commit(message('k', 'a'))
    const running = relay()
    await running.start()
    await eventually('it fails', () => errors.length > 0 && !running.healthy())
    outbox.owner = 'another replica'
    await eventually('it stands by', () => running.healthy())
    expect(running.state().age_ms).toBe(0)
    await running.stop()
  })

  it('has one active relay; a standby takes over when it stops, and one that lost its lease publishes no more', async () => {
    const states: string[] = []
    const { outbox, relay, ids } = await setUp()
    const one = relay({ onLease: (state) => void states.push(state) })
    await one.start()
    outbox.commit(message('k', 'a'))
    await eventually('one publishes', () => outbox.position === 1n)
    const two = relay()
    await two.start()
    // As if its lease had run out while it was frozen.
    outbox.owner = undefined
    await outbox.lease('a third')
    outbox.commit(message('k', 'b'))
    await eventually('one knows', () => states.includes('lost'))
    outbox.owner = undefined
    await eventually('somebody goes on', () => outbox.position === 2n)
    await one.stop()
    await two.stop()
    expect(new Set(ids()).size).toBe(2)
  })
})
