import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { continueTrace, withTrace } from '#tracing'
import type { PlatformConfig } from '#platform'
import { createLog } from '../../libs/platform/observability/log.js'
import { CollectorNode } from './collector-node.js'
import type { ContainerLog } from './node-logs.js'
import type { LogRecord } from './otlp.js'
import { Sink } from './sink.js'

/** The collector waits up to half a minute before it asks a sink again. */
const ARRIVE_MS = 120_000
const TEST_MS = 300_000
/** With the filler, lines of more bytes than the queue of the manifest holds. */
const MANY = 100_000
const FILLER = 'x'.repeat(800)

/** Each has an even chance to find a flaw. */
const KILLS = 8

const sink = new Sink()
let node: CollectorNode

const recordsOf = ({ name }: ContainerLog): readonly LogRecord[] => sink.taken.get(name.uid) ?? []
const bodiesOf = (log: ContainerLog): readonly string[] => recordsOf(log).map(({ body }) => String(body))
const distinct = (log: ContainerLog): ReadonlySet<string> => new Set(bodiesOf(log))

const arrive = async (log: ContainerLog, count: number): Promise<void> => {
  try {
    await eventually(`${count} lines of ${log.name.pod}`, () => recordsOf(log).length >= count && distinct(log).size >= count, ARRIVE_MS)
  } catch (error) {
    throw new Error(`${distinct(log).size} of ${count} lines came; the collector said:\n${node.said.slice(-4_000)}`, { cause: error })
  }
}

const logger = (write: (line: string) => void) =>
  createLog({ name: 'wallet', config: { LOG_LEVEL: 'trace' } as PlatformConfig, logTo: { write } })

/** Lines `from` to `to` of an app, by its own logger. */
const say = (log: ContainerLog, from: number, to: number, filler?: string): readonly string[] => {
  const lines: string[] = []
  const app = logger((line) => lines.push(line))
  for (let n = from; n < to; n++) app.info({ n, filler }, 'line')
  log.write(lines.join(''))
  return lines.map((line) => line.trimEnd())
}

beforeAll(async () => {
  await sink.open()
  node = new CollectorNode(sink)
}, TEST_MS)

afterEach(async () => {
  sink.mood = 'well'
  await node.stop()
}, TEST_MS)

afterAll(async () => {
  await sink.close()
  node?.remove()
})

describe('the configuration', () => {
  it('is valid to the collector of its image, as it is', () => {
    const { status, stderr } = node.validate(node.text)
    expect([status, stderr]).toEqual([0, ''])
  })

  it.each([
    ['a setting that no part has', 'retry_on_failure:', 'retry_on_failures:', /retry_on_failures/],
    ['a part that is not there', 'exporters: [otlp_http]', 'exporters: [elsewhere]', /elsewhere/],
    ['an operator that lacks something', 'parse_from: attributes.time,', '', /parse_from/],
  ])('would not be with %s', (_, is, instead, why) => {
    expect(node.text).toContain(is)
    const { status, stderr } = node.validate(node.text.replace(is, instead))
    expect([status, stderr]).toEqual([1, expect.stringMatching(why)])
  })
})

describe('a line', () => {
  it(
    'of an app arrives with its level, time, trace and fields, and the pod that it is of',
    async () => {
      await node.start()
      const log = node.container('wallet')
      const app = logger((line) => log.write(line))
      const trace = continueTrace(undefined)
      withTrace(trace, () => app.warn({ walletId: 'w-1', err: new Error('short of funds') }, 'refused'))
      app.fatal('gone')
      await arrive(log, 2)
      const [refused, gone] = recordsOf(log)
      const { time } = JSON.parse(String(refused?.body)) as { time: string }
      expect(refused).toMatchObject({
        time_ns: BigInt(Date.parse(time)) * 1_000_000n,
        severity: 'warn',
        severityNumber: 13,
        traceId: trace.traceId,
        attributes: {
          app: 'wallet',
          msg: 'refused',
          walletId: 'w-1',
          err: { type: 'Error', message: 'short of funds' },
          'log.iostream': 'stdout',
        },
        resource: {
          'k8s.namespace.name': 'bahi',
          'k8s.pod.name': log.name.pod,
          'k8s.pod.uid': log.name.uid,
          'k8s.container.name': 'app',
          'k8s.container.restart_count': '0',
        },
      })
      expect(gone).toMatchObject({ severity: 'fatal', severityNumber: 21, traceId: '' })
    },
    TEST_MS,
  )

  it(
    'of the gateway arrives with its trace and time; what is no JSON as it is, at the time that the node wrote it',
    async () => {
      await node.start()
      const gateway = node.container('gateway')
      const { traceId } = continueTrace(undefined)
      gateway.write(`{"time":"2026-11-29T08:00:00+00:00","app":"gateway","method":"GET","status":503,"traceId":"${traceId}"}\n`)
      const crashed = node.container('fraud')
      const lines = ['Error: Cannot find module', '    at node:internal/modules', '{ "code": "MODULE_NOT_FOUND"', 'Node.js v26.10.0']
      crashed.write(`${lines.join('\n')}\n`, 'stderr')
      await arrive(gateway, 1)
      await arrive(crashed, lines.length)
      expect(recordsOf(gateway)).toEqual([
        expect.objectContaining({
          time_ns: BigInt(Date.UTC(2026, 10, 29, 8)) * 1_000_000n,
          traceId,
          attributes: expect.objectContaining({ app: 'gateway', status: 503 }),
        }),
      ])
      expect(bodiesOf(crashed)).toEqual(lines)
      for (const { attributes, time_ns } of recordsOf(crashed)) {
        expect(attributes['log.iostream']).toBe('stderr')
        expect(time_ns % 1_000_000n).toBe(123_456n)
      }
    },
    TEST_MS,
  )

  it(
    'longer than what a node writes at once arrives whole, with its level',
    async () => {
      await node.start()
      const log = node.container('wallet')
      const said = say(log, 0, 2, 'y'.repeat(40_000))
      await arrive(log, 2)
      expect(bodiesOf(log)).toEqual(said)
      expect(recordsOf(log).map(({ severity }) => severity)).toEqual(['info', 'info'])
    },
    TEST_MS,
  )
})

describe('a collector', () => {
  it(
    'that is started again goes on where it was: nothing comes twice, nothing is left out, in files that the node has set aside either',
    async () => {
      const log = node.container('wallet')
      const said = [...say(log, 0, 500)]
      await node.start()
      await arrive(log, 500)
      await node.stop()
      said.push(...say(log, 500, 600))
      log.rotate()
      said.push(...say(log, 600, 700))
      await node.start()
      await arrive(log, 700)
      said.push(...say(log, 700, 800))
      log.rotate()
      said.push(...say(log, 800, 900))
      await arrive(log, 900)
      expect(bodiesOf(log).toSorted()).toEqual(said.toSorted())
    },
    TEST_MS,
  )

  it(
    'that is killed again and again while lines come leaves none out',
    async () => {
      const log = node.container('wallet')
      const said: string[] = []
      for (let kill = 0; kill < KILLS; kill++) {
        await node.start()
        // Spread over a few of the collector's looks at the file, which are 200 ms apart.
        for (let line = 0; line < 30; line++) {
          said.push(...say(log, said.length, said.length + 1))
          await wait(20)
        }
        await node.stop('SIGKILL')
      }
      await node.start()
      await arrive(log, said.length)
      expect([...distinct(log)].toSorted()).toEqual(said.toSorted())
    },
    TEST_MS,
  )
})

describe('a sink', () => {
  it.each([
    ['that starts, and answers 503', 'starting'],
    ['that has no room, and answers 429', 'no-room'],
  ] as const)(
    '%s, has every line once it can',
    async (_, mood) => {
      await node.start()
      const log = node.container('wallet')
      sink.mood = mood
      const before = sink.refused
      const said = [...say(log, 0, 500)]
      await eventually('it was asked again', () => sink.refused >= before + 3, ARRIVE_MS)
      sink.mood = 'well'
      said.push(...say(log, 500, 510))
      await arrive(log, 510)
      expect(bodiesOf(log).toSorted()).toEqual(said.toSorted())
    },
    TEST_MS,
  )

  it(
    'that is away has every line once it is back, those too that a collector had when it was stopped',
    async () => {
      const log = node.container('wallet')
      await sink.close()
      await node.start()
      const said = [...say(log, 0, 500)]
      await eventually('the collector has tried', () => /connection refused/.test(node.said), ARRIVE_MS)
      await node.stop()
      await node.start()
      said.push(...say(log, 500, 510))
      await sink.open()
      await arrive(log, 510)
      expect(bodiesOf(log).toSorted()).toEqual(said.toSorted())
    },
    TEST_MS,
  )

  it(
    'that takes nothing while more comes than the queue holds has it all once it can: what does not fit waits in the node’s files',
    async () => {
      await node.start()
      const log = node.container('wallet')
      sink.mood = 'starting'
      for (let n = 0; n < MANY; n += 10_000) say(log, n, n + 10_000, FILLER)
      await eventually('the queue is full', () => /sending queue is full/.test(node.said), ARRIVE_MS)
      sink.mood = 'well'
      await arrive(log, MANY)
      expect(recordsOf(log)).toHaveLength(MANY)
      expect(sink.largest).toBeLessThan(10_000_000)
    },
    TEST_MS,
  )
})
