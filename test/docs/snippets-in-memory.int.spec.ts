import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { StockChanged } from '#contracts'
import { deciderSpec } from '#event-store/testing'
import type { IncomingMessage } from '#kernel'
import { memoryTransactions } from '#kernel/testing'
import { projector } from '#projections'
import { memoryRows } from '#projections/testing'
import { killedEverywhere } from '#saga/testing'
import { expectEmbedded, fenced, readText, root } from './embedded.js'
import { card } from './snippets/event-store.js'
import { shelves, shelvesProjection } from './snippets/projection.js'
import { BookingPlay } from './snippets/saga-killed.js'

const PAGES: Readonly<Record<string, string>> = {
  'event-store.ts': 'docs/event-store.md',
  'event-store-nest.ts': 'docs/event-store.md',
  'messaging.ts': 'docs/messaging.md',
  'from-kafka.ts': 'docs/messaging.md',
  'saga.ts': 'docs/sagas.md',
  'saga-killed.ts': 'docs/sagas.md',
  'saga-nest.ts': 'docs/sagas.md',
  'projection.ts': 'CONTRIBUTING.md',
}

describe('the snippets of the documents', () => {
  it.each(Object.entries(PAGES))('%s is in %s as it is here', (file, page) => {
    expectEmbedded(page, `snippet ${file}`, fenced('ts', readText(`test/docs/snippets/${file}`)))
  })

  it('are all shown, and no other TypeScript is', () => {
    expect(readdirSync(join(root, 'test/docs/snippets')).sort()).toEqual(Object.keys(PAGES).sort())
    const pages = [...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`), ...MORE]
    const shown = pages.filter((page) => page.endsWith('.md')).flatMap((page) => [...readText(page).matchAll(/^```(ts|typescript)$/gm)])
    expect(shown).toHaveLength(Object.keys(PAGES).length)
  })
})

const MORE = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md']

describe('the card', () => {
  const { given } = deciderSpec(card)
  it('spends what is there', () => {
    given({ type: 'Earned', data: { points: 10 } })
      .when({ type: 'spend', points: 4 })
      .then({ type: 'Spent', data: { points: 4 } })
    given({ type: 'Earned', data: { points: 10 } })
      .when({ type: 'spend', points: 11 })
      .thenRefused('insufficient-points')
  })
})

describe('the booking', () => {
  const run = async (refused?: string) => {
    const play = new BookingPlay(refused)
    await play.play()
    await play.check()
    return { status: await play.end(), sent: play.sent.map(({ type }) => type) }
  }

  it('is confirmed', async () => {
    expect(await run()).toEqual({ status: 'COMPLETED', sent: ['HoldRoom', 'ConfirmRoom'] })
  })

  it('is undone when the room is refused at the end', async () => {
    expect(await run('ConfirmRoom')).toEqual({ status: 'COMPENSATED', sent: ['HoldRoom', 'ConfirmRoom', 'ReleaseRoom'] })
  })

  it.each([undefined, 'HoldRoom', 'ConfirmRoom'])('ends the same wherever it is killed, with %s refused', async (refused) => {
    expect(await killedEverywhere((crash) => new BookingPlay(refused, crash))).toBeGreaterThan(3)
  })
})

describe('the shelves', () => {
  const message = (version: number, available: number): IncomingMessage => ({
    ...StockChanged.message('A', { ...StockChanged.example, sku: 'A', version, available }, { correlationId: 'A', causationId: 'test' }),
    partition: 0,
    offset: BigInt(version),
    id: String(version),
    source: 'order-command',
    origin: { incarnation: 'i', position: BigInt(version), ordinal: 0 },
    time: 0,
  })

  it('show the newest, whatever comes late', async () => {
    const rows = memoryRows()
    const handle = projector(shelvesProjection, rows)
    for (const batch of [[message(2, 7)], [message(1, 9), message(3, 5)], [message(2, 7)]])
      await memoryTransactions().run(async (tx) => (await handle(batch))(tx))
    expect(rows.rows(shelves)).toEqual([{ sku: 'A', available: 5 }])
  })
})
