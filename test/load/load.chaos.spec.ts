import { describe, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { failWithout, kafkaMissing, skippedWithout } from '../support/kafka.mjs'

const load = (...words: readonly string[]) =>
  promisify(execFile)(process.execPath, [join(import.meta.dirname, '../../scripts/load.mjs'), ...words], { timeout: 120_000 })

it('a measurement that `npm run load` lists says what its options are; one that is none is refused with the list', async () => {
  const { stdout } = await load()
  const names = [...stdout.matchAll(/npm run load -- (\S+)/g)].map(([, name]) => name)
  for (const name of ['event-store/append', 'messaging/poison']) {
    expect(names).toContain(name)
    expect((await load(name, '--help')).stdout).toMatch(new RegExp(`npm run load -- ${name}[^]*--rounds`))
  }
  await expect(load('event-store/appends')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('npm run load -- event-store/append\n'),
  })
}, 400_000)

const measured = async (...words: readonly string[]): Promise<unknown> => JSON.parse((await load(...words, '--json')).stdout)
const SOME = expect.any(Number)

it('read models are measured, at a tiny size', async () => {
  const rate = { per_s: SOME }
  expect(await measured('projections/order-query', '--messages', '600', '--batch', '50', '--baseline', '60')).toMatchObject({
    conditions: { partitions: 6 },
    stock: rate,
    orders_and_history: rate,
    repeats: rate,
    baseline: rate,
    ratio: SOME,
  })
}, 150_000)

it('the statements of timers are explained, and find what is due by its index', async () => {
  expect(await measured('saga/timers', '--pending', '10000')).toMatchObject({
    conditions: { fsync: 'on', pending: 10_000, due: 50 },
    plans: {
      'when the next is due': expect.arrayContaining([[expect.stringContaining('Index Only Scan using saga_tasks_due')]]),
      'claim what is due': expect.arrayContaining([[expect.stringContaining('Index Cond: (due_at <= now())')]]),
    },
  })
}, 150_000)

/** What `saga/table` measures beside is installed apart: CI does, a checkout need not. */
const besideSagas = existsSync(join(import.meta.dirname, 'saga/baselines/node_modules'))

it('sagas are measured beside workflows, at a tiny size; or it is said what to install first', async () => {
  const tiny = ['--seconds', '0.2', '--rounds', '1', '--clients', '2', '--connections', '2', '--waiting', '20', '--rate', '0']
  if (!besideSagas) {
    expect(process.env['CI']).not.toBe('true')
    const stderr = expect.stringContaining('npm ci --prefix test/load/saga/baselines: once, and then again\n')
    await expect(load('saga/table', ...tiny, '--json')).rejects.toMatchObject({ code: 1, stdout: '', stderr })
    return
  }
  const side = { perSecond: SOME, p50_ms: SOME, p99_ms: SOME }
  const names = ['inProcess', 'overLog', 'dbos', 'inProcess, 1 client', 'dbos, 1 client', 'inProcess, among 20 that wait']
  const row = (what: string, more: object = { ratio: SOME }) => ({ what: expect.stringContaining(what), ...more })
  expect(await measured('saga/table', ...tiny)).toMatchObject({
    conditions: { fsync: 'on', clients: 2 },
    sides: Object.fromEntries(names.map((name) => [name, side])),
    rows: [
      row('in process: sagas a second'),
      row('in process: p99'),
      row('over the log: sagas a second'),
      row('memory grown while 20 were started', { value: SOME }),
      row('p99 among them'),
    ],
  })
}, 150_000)

const missing = kafkaMissing()
if (!skippedWithout({ describe, it }, 'the relay measured', missing)) {
  it('the relay is measured, at a tiny size', async () => {
    failWithout(missing)
    const words = ['--events', '2000', '--polled', '1000', '--rate', '100', '--seconds', '1']
    expect(await measured('messaging/relay', ...words)).toMatchObject({
      results: [
        { side: 'relay', perSecond: SOME, node_us: SOME },
        { side: 'polling outbox, kafkajs', perSecond: SOME, ours: SOME },
        { side: 'polling outbox, platformatic', perSecond: SOME, ours: SOME },
        { side: 'relay', p50_ms: SOME, p99_ms: SOME, recorded_p99_ms: SOME },
      ],
    })
  }, 300_000)
}
