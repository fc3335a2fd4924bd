import { describe, expect, it } from '@jest/globals'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const LIMIT_MS = 180_000
/** What `beside.mjs` measures beside is installed apart: CI does, a checkout need not. */
const BASELINES = existsSync(join(import.meta.dirname, 'baselines/node_modules'))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

const measure = (script: string, ...words: readonly string[]): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, script), ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    const [out, errors]: [string[], string[]] = [[], []]
    child.stdout.on('data', (text: Buffer) => out.push(String(text)))
    child.stderr.on('data', (text: Buffer) => errors.push(String(text)))
    const late = setTimeout(() => child.kill('SIGTERM'), LIMIT_MS)
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(late)
      resolve({ code, out: out.join(''), errors: errors.join('') })
    })
  })

const TINY = ['--seconds', '0.2', '--json']
const rate = { perSecond: expect.any(Number), p99_ms: expect.any(Number) }
const ROW = expect.stringMatching(/^10 columns, 2 indexes, [1-9]\d* bytes$/)
/** A measurement that did nothing would be a rate of null: JSON has no NaN. */
const measured = ({ code, out, errors }: Ended): unknown => {
  expect([code, errors]).toEqual([0, expect.not.stringMatching(/Error/)])
  expect(out).not.toContain('null')
  return JSON.parse(out)
}

describe('the measurements of the event store run as they are documented, at a tiny size:', () => {
  it('append.mjs', async () => {
    const ended = await measure('append.mjs', ...TINY, '--clients', '1,4', '--streams', '8', '--rounds', '1', '--connections', '4')
    const line = (clients: number) => ({ clients, ours: rate, relayed: rate, baseline: rate, ratio: expect.any(Number) })
    expect(measured(ended)).toMatchObject({ conditions: { fsync: 'on', streams: 8 }, results: [line(1), line(4)] })
  }, 200_000)

  it('wallet.mjs', async () => {
    const ended = await measure('wallet.mjs', ...TINY, '--wallets', '20', '--rounds', '1', '--connections', '4')
    expect(measured(ended)).toMatchObject({
      conditions: { fsync: 'on', wallets: 20 },
      transfers: [64, 256].map((clients) => ({ clients, ours: rate, relayed: rate, crud: rate })),
      half: { ours: { top: expect.any(Number), p99_ms: expect.any(Number) }, relayed: { p99_ms: expect.any(Number) } },
      rows: { 'wallet.events': ROW },
      replicas: [1, 2, 3].map((replicas) => ({ replicas, toOne: expect.any(Number) })),
    })
  }, 200_000)

  it('http.mjs', async () => {
    const ended = await measure('http.mjs', ...TINY, '--wallets', '10', '--rounds', '1', '--clients', '4', '--connections', '4')
    const sides = ['wallet, relay on', 'wallet, relay off', 'stock Fastify, one INSERT']
    expect(measured(ended)).toMatchObject({
      conditions: { fsync: 'on', wallets: 10 },
      rows: { 'wallet.events': ROW },
      results: [{ clients: 4, sides: Object.fromEntries(sides.map((side) => [side, rate])) }],
    })
  }, 200_000)

  it('beside.mjs, or it says what to install first', async () => {
    const ended = await measure('beside.mjs', ...TINY, '--rounds', '1', '--streams', '20', '--connections', '4', '--events', '2000')
    if (!BASELINES) {
      expect(process.env['CI']).not.toBe('true')
      expect(ended).toMatchObject({ code: 1, out: '', errors: 'npm ci --prefix test/load/event-store/baselines: once, and then again\n' })
      return
    }
    expect(measured(ended)).toMatchObject({
      conditions: { fsync: 'on', streams: 20 },
      rows: { 'ours.events': ROW, 'public.emt_messages': expect.any(String) },
      results: [16, 64, 64, 64, 64].map(() => expect.objectContaining({ 'ours, relay on': expect.objectContaining(rate) })),
      verify: { faults: 0, perSecond: expect.any(Number) },
      folds: { 'ours, all events': { result: 2_000 }, Emmett: { result: 2_000 } },
    })
  }, 200_000)
})
