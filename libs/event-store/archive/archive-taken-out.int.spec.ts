import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { readCheckpoint, verifyAll, writeCheckpoint, type CheckpointSeal, type EventStore, type StreamHead } from '#event-store'
import { generateKeyPairSync } from 'node:crypto'
import { partitionedPlace, type PartitionedPlace } from '../testing/partitioned.js'
import { change } from '../testing/tally.js'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')

interface Signed {
  readonly heads: readonly StreamHead[]
  readonly seal: CheckpointSeal
}

const signed = async ({ pool }: PartitionedPlace): Promise<Signed> => {
  const lines: string[] = []
  await writeCheckpoint(pool, privateKey, 0, async (line) => void lines.push(line))
  const all = readCheckpoint(
    (async function* () {
      yield* lines
    })(),
    publicKey,
  )
  const heads: StreamHead[] = []
  for (;;) {
    const next = await all.next()
    if (next.done) return { heads, seal: next.value }
    heads.push(next.value)
  }
}

/** As a checkpoint knows them that was signed before checkpoints said anything of archives. */
const older = ({ heads }: Signed): readonly StreamHead[] => heads.map(({ stream, version, head }) => ({ stream, version, head }))

/** Twelve tallies of two events each, of which the even ones are closed. */
const fill = async (store: EventStore, name: string): Promise<void> => {
  for (let at = 0; at < 12; at++) {
    await store.execute(change(`${name}-${at}-a`, `${name}-${at}`, 1))
    await store.execute(change(`${name}-${at}-b`, `${name}-${at}`, at % 2 === 0 ? 99 : 1))
  }
}

describe('a stream that is said to be in an archive elsewhere', () => {
  let place: PartitionedPlace
  let gone: string
  let known: Signed
  beforeAll(async () => {
    place = await partitionedPlace(10)
    const store = await place.open()
    await fill(store, 'a')
    await place.archiveAll()
    gone = await archiveOf('tally-a-0')
    await place.pool.query(`ALTER TABLE ${gone} RENAME TO elsewhere`)
    known = await signed(place)
    await place.pool.query('CREATE TABLE streams_then AS TABLE streams')
    await place.pool.query('CREATE TABLE events_then AS TABLE events')
  })
  afterAll(() => place.close())
  beforeEach(async () => {
    await place.pool.query('DELETE FROM streams')
    await place.pool.query('INSERT INTO streams TABLE streams_then')
    await place.pool.query('DELETE FROM events')
    await place.pool.query('INSERT INTO events TABLE events_then')
  })

  const archiveOf = async (stream: string) =>
    (await place.pool.query<{ archive: string }>('SELECT archive FROM streams WHERE stream_id = $1', [stream])).rows[0]?.archive ?? ''
  const faults = async (heads: readonly StreamHead[], seal?: CheckpointSeal) =>
    (await verifyAll(place.pool, heads, seal ? { seal } : {})).faults

  it('and was when it was signed is not a fault', async () => {
    expect(await verifyAll(place.pool, known.heads, { seal: known.seal })).toEqual({
      streams: 12,
      events: expect.any(Number),
      elsewhere: expect.any(Number),
      faults: [],
    })
    expect(known.seal.archives).toContainEqual({ name: gone, here: false })
    expect(await faults(older(known))).toEqual([])
  })

  it.each<[string, string, string, boolean]>([
    ['was living when it was signed, and is as it was', 'tally-a-1', '', false],
    ['was living, and came on since', 'tally-a-1', `, version = 3, head = sha256('x')`, false],
    ['was living, and is shorter', 'tally-a-1', `, version = 1, head = sha256('x')`, true],
    ['was living, and ends otherwise', 'tally-a-1', `, head = sha256('x')`, true],
    ['was elsewhere, and came on since', 'tally-a-0', `, version = 3, head = sha256('x')`, false],
    ['was elsewhere, and ends otherwise', 'tally-a-0', `, head = sha256('x')`, true],
  ])('is a fault where it %s', async (_, stream, as, alsoToOlder) => {
    await place.pool.query(`UPDATE streams SET archive = '${gone}' ${as} WHERE stream_id = $1`, [stream])
    await place.pool.query('DELETE FROM events WHERE stream_id = $1', [stream])
    const fault = { stream, fault: 'rewritten', version: 2 }
    expect(await faults(known.heads, known.seal)).toEqual([fault])
    // Then a stream may have been archived since, or have come back, grown and been archived again.
    expect(await faults(older(known))).toEqual(alsoToOlder ? [fault] : [])
  })

  it('does not excuse that its events are here and others than were signed', async () => {
    await place.pool.query(`UPDATE streams SET archive = '${gone}' WHERE stream_id = 'tally-a-1'`)
    const others = known.heads.map((head) => (head.stream === 'tally-a-1' ? { ...head, head: Buffer.alloc(32) } : head))
    expect(await faults(others)).toEqual([{ stream: 'tally-a-1', fault: 'rewritten', version: 2 }])
  })
})

it('an archive that was taken out since a checkpoint was signed is named, and so is one that became one since', async () => {
  const place = await partitionedPlace(10)
  try {
    const store = await place.open()
    await fill(store, 'a')
    await place.archiveAll()
    const archives = async (prefix: string) =>
      (
        await place.pool.query<{ archive: string }>(
          'SELECT DISTINCT archive FROM streams WHERE archive IS NOT NULL AND starts_with(stream_id, $1) ORDER BY 1',
          [prefix],
        )
      ).rows.map(({ archive }) => archive)
    const [before = ''] = await archives('tally-a-')
    await fill(store, 'b')
    const { heads, seal } = await signed(place)
    await place.archiveAll()
    const since = (await archives('tally-b-')).find((name) => !seal.archives?.some((each) => each.name === name)) ?? ''
    expect(since).not.toBe('')
    expect(await verifyAll(place.pool, heads, { seal })).not.toHaveProperty('takenOut')
    for (const [at, name] of [before, since].entries()) await place.pool.query(`ALTER TABLE ${name} RENAME TO elsewhere_${at}`)
    const verified = await verifyAll(place.pool, heads, { seal })
    expect(verified.faults).toEqual([])
    expect(verified.takenOut?.toSorted()).toEqual([before, since].toSorted())
    const now = await signed(place)
    expect(await verifyAll(place.pool, now.heads, { seal: now.seal })).not.toHaveProperty('takenOut')
  } finally {
    await place.close()
  }
})
