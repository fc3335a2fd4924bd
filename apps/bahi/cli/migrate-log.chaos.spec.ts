import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { partitionOf } from '#messaging'
import { eventually } from '#kernel/testing'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { withKafka } from '../../../test/support/kafka.mjs'
import { abort, isMoved, lookAtAll, migrateLog, type Progress } from './migrate-log/move.js'
import type { LogName, MovedApp, System } from './migrate-log/system.js'
import { MovingSystem, type Side } from './testing/moving-system.js'

const root = join(import.meta.dirname, '../../..')
const POISON = 'poison'
/** Its partition in Kafka is one that the log in PostgreSQL does not have. */
const POISON_AFAR = ['a', 'b', 'c', 'd'].find((key) => partitionOf(key, 6) > 0) ?? ''
/** The kinds of steps at which the command is killed; all five by `KILLS=5`. */
const KILLED_AT = ['hold', 'groups', 'publish', 'read', 'relays'].slice(0, Number(process.env['KILLS'] ?? 2))
const WAIT_MS = 180_000

withKafka({ describe, it, beforeAll, afterAll }, (kafka) => {
  let moving: MovingSystem
  let before: Side
  let after: Side
  const open: { close(): Promise<void> }[] = []

  const systemTo = async (to: LogName): Promise<System> => {
    const [target, from] = await Promise.all([moving.driver(to), moving.driver(to === 'kafka' ? 'postgres' : 'kafka')])
    open.push(target, from)
    const apps = [...moving.pools].map(([name, pool]): MovedApp => ({ name, pool, publishes: moving.stores.has(name) }))
    return { apps, from, to: target }
  }
  const move = async (system: System, until: (progress: Progress) => boolean = () => false, timeout_ms = 40_000) => {
    const steps: Progress[] = []
    for await (const progress of migrateLog(system, { timeout_ms, signal: new AbortController().signal })) {
      steps.push(progress)
      if (until(progress)) return steps
    }
    return steps
  }
  /** True once for each step of each app. */
  const firstTime = () => {
    const seen = new Set<string>()
    return ({ step, app = '' }: Progress): boolean => {
      const size = seen.size
      return seen.add(`${step} ${app}`).size > size
    }
  }
  const nothingIsLost = async () => {
    const done = async () => (await moving.faults()).length === 0
    await eventually('every message took effect once, in order, at every app', done, WAIT_MS / 2).catch(() => undefined)
    expect(await moving.faults()).toEqual([])
  }
  const park = async (app: string, key: string, source: string) => {
    moving.refused.add(`${app} ${key}`)
    await moving.say(source, key)
    await eventually('it is parked', async () => (await moving.parked(app)).length === 1, WAIT_MS)
    moving.refused.clear()
  }
  const redrive = async (side: Side, app: string) => {
    const [id = ''] = await moving.parked(app)
    expect(await side.consumers.get(app)?.redrive(id, 'tester')).toBe(true)
  }

  beforeAll(async () => {
    moving = await MovingSystem.open(kafka().brokers)
  }, WAIT_MS)
  afterAll(async () => {
    await moving?.close()
    for (const each of open) await each.close()
  }, WAIT_MS)

  describe('bahi migrate-log', () => {
    it(
      'is refused before every app has run, and while something is put aside',
      async () => {
        await expect(move(await systemTo('kafka'))).rejects.toThrow('wallet has not run with this version and LOG=postgres yet')
        before = await moving.start('postgres')
        moving.talk()
        await eventually(
          'all have read',
          async () => moving.said > 50 && (await lookAtAll(await systemTo('kafka'))).every(({ group }) => group.places > 0),
        )
        const fraud = moving.pools.get('fraud')
        await fraud?.query(`INSERT INTO deferred ("group", topic, partition, "offset", key, headers, value, recorded_at_ms, attempts, due_ms)
        VALUES ('fraud', 'elsewhere', 0, 0, 'k', '{}', '', 0, 1, 0)`)
        await expect(move(await systemTo('kafka'))).rejects.toThrow('fraud has 1 messages put aside: wait')
        await fraud?.query(`DELETE FROM deferred WHERE topic = 'elsewhere'`)
        expect((await lookAtAll(await systemTo('kafka'))).filter(({ relay }) => relay?.heldAt !== undefined)).toEqual([])
      },
      WAIT_MS,
    )

    it(
      'lets all go on where one does not read to the end, or where it is taken back',
      async () => {
        const system = await systemTo('kafka')
        await before.consumers.get('payment-saga')?.close()
        await expect(move(system, undefined, 8_000)).rejects.toThrow(
          /it took too long: (.*; )?payment-saga has \d+ to read in [a-z.]+.*Nothing was moved/,
        )
        await move(system, ({ step }) => step === 'read')
        expect((await lookAtAll(system)).every(({ relay }) => relay === undefined || relay.heldAt !== undefined)).toBe(true)
        await abort(system)
        expect((await lookAtAll(system)).some(({ relay }) => relay?.heldAt !== undefined)).toBe(false)
        await before.stop()
        before = await moving.start('postgres')
        await moving.silence()
        await nothingIsLost()
      },
      WAIT_MS,
    )

    it('moves from PostgreSQL to Kafka while messages come, given up at each step and run again: each has one effect, in order', async () => {
      const system = await systemTo('kafka')
      moving.talk()
      await park('wallet', POISON, 'fraud')
      after = await moving.start('kafka')
      const isNew = firstTime()
      const seen = new Set<string>()
      for (let ended = false; !ended;) {
        const steps = await move(system, (progress) => progress.step !== 'done' && isNew(progress))
        for (const { step } of steps) seen.add(step)
        ended = steps.at(-1)?.step === 'done' || isMoved(await lookAtAll(system), 'kafka')
      }
      expect([...seen]).toEqual(expect.arrayContaining(['hold', 'publish', 'read', 'groups', 'relays']))
      expect(await move(system)).toEqual([])
      await expect(abort(system)).rejects.toThrow('in kafka already')
      await before.stop()
      await redrive(after, 'wallet')
      await moving.silence()
      await nothingIsLost()
      expect(await moving.parked('wallet')).toEqual([])
    }, 300_000)

    it('moves back by the command, killed under way and run again; what was parked in Kafka is sent back there', async () => {
      moving.talk()
      await park('order-query', POISON_AFAR, 'wallet')
      before = await moving.start('postgres')
      const killed = new Set<string>()
      const kill = ({ step }: Progress) => KILLED_AT.includes(step) && killed.size < killed.add(step).size
      let last: Awaited<ReturnType<typeof command>>
      do last = await command(['migrate-log', '--to', 'postgres', '--json'], kill)
      while (last.code === null)
      expect([last.code, last.lines.at(-1)?.step, killed.size]).toEqual([0, 'done', KILLED_AT.length])
      await after.stop()
      await redrive(before, 'order-query')
      await moving.silence()
      await nothingIsLost()
      expect((await command(['migrate-log', '--to', 'postgres', '--dry-run'])).code).toBe(0)
    }, 300_000)
  })

  /** SIGKILL where `kill` says so. Code null: it was killed. */
  const command = (words: readonly string[], kill: (progress: Progress) => boolean = () => false) =>
    new Promise<{ readonly code: number | null; readonly lines: readonly Progress[]; readonly said: string }>((resolve) => {
      const urls = [...moving.pools.keys()].map((app) => [`${app.toUpperCase().replaceAll('-', '_')}_DATABASE_URL`, moving.url])
      const env = {
        PATH: process.env['PATH'] ?? '',
        LOG_DATABASE_URL: moving.url,
        KAFKA_BROKERS: kafka().brokers.join(),
        ...Object.fromEntries(urls),
      }
      const child = spawn(process.execPath, [join(root, 'dist/apps/bahi/cli/main.js'), ...words], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const lines: Progress[] = []
      const said: string[] = []
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (!line.startsWith('{')) return
        const progress = JSON.parse(line) as Progress
        lines.push(progress)
        if (child.exitCode === null && !child.killed && kill(progress)) child.kill('SIGKILL')
      })
      createInterface({ input: child.stderr }).on('line', (line) => said.push(line))
      child.once('close', (code) => resolve({ code, lines, said: said.join('\n') }))
    })
})
