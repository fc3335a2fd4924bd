import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { WALLET_COMMANDS } from '#contracts'
import { systemClock, type Clock } from '#kernel'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import type { Finding } from '#service'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import type pg from 'pg'
import { failWithout, skippedWithout } from '../../../test/support/kafka.mjs'
import { redisMissing, startRedis } from '../../../test/support/redis.mjs'
import { startTestWallet, type TestWallet } from '../../wallet/testing/test-app.js'
import type { Io } from './io.js'
import { runProgram } from './program.js'
import { doctor, register } from './verbs/doctor.js'

const main = join(import.meta.dirname, '../../../dist/apps/wallet/main.js')

type Env = Record<string, string | undefined>

let wallet: TestWallet
let pool: pg.Pool
let healthy: Env

beforeAll(async () => {
  wallet = await startTestWallet()
  const walletId = await wallet.wallet('c-1', 500)
  // Sealed under the owner's key.
  await wallet.call('POST', `/v1/wallets/${walletId}/freeze`, { body: { reason: 'asked by the bank' } })
  pool = createPool({ url: wallet.databaseUrl, schema: 'wallet', applicationName: 'test', maxConnections: 1 })
  healthy = Object.fromEntries(Object.entries(wallet.config).map(([name, value]) => [name, String(value)]))
})
afterAll(async () => {
  await pool.end()
  await wallet.close()
})

/** In the process's own environment a test's variables would be seen as well. */
const command = (env: Env, ...words: readonly string[]): Promise<{ readonly code: number; readonly out: string }> =>
  new Promise((resolve) =>
    execFile(process.execPath, [main, ...words], { env: { PATH: process.env['PATH'], ...env }, timeout: 60_000 }, (error, out) =>
      resolve({ code: error ? Number(error.code) : 0, out }),
    ),
  )

interface Seen {
  readonly code: number
  readonly text: string
  readonly findings: readonly Finding[]
}

const ioOf = (env: Env) => {
  const out: string[] = []
  const io: Io = {
    out: async (line) => void out.push(line),
    say: (line) => void out.push(line),
    env,
    signal: new AbortController().signal,
    exitCode: 0,
  }
  return { io, out }
}

const examine = (changed: Env = {}, clock?: Clock): Promise<Seen> => examineBy({ ...healthy, ...changed }, clock)

const examineBy = async (env: Env, clock?: Clock): Promise<Seen> => {
  const { io, out } = ioOf(env)
  await doctor(io, { app: 'wallet', home: '/nowhere', json: true }, clock)
  const text = out.join('\n')
  const { ok, findings } = JSON.parse(text) as { ok: boolean; findings: readonly Finding[] }
  expect(ok).toBe(io.exitCode === 0)
  return { code: io.exitCode, text, findings }
}

const failures = ({ findings }: Seen) => findings.filter(({ status }) => status === 'failed')
const change = async <T>(break_: string, mend: string, look: () => Promise<T>): Promise<T> => {
  await pool.query(break_)
  try {
    return await look()
  } finally {
    await pool.query(mend)
  }
}

describe('bahi doctor', () => {
  it('finds nothing wrong with a healthy app, and looks at everything', async () => {
    // The app tells where it stands some seconds after its start.
    const looked = [
      'clock',
      'configuration',
      'durability',
      'invariants',
      'keys',
      'lag',
      'log',
      'migrations',
      'postgresql',
      'relay',
      'topics',
      'versions',
    ]
    await eventually('it finds nothing wrong', async () => {
      const { code, findings } = await examine()
      // The test run's PostgreSQL is one that may lose everything.
      const wrong = findings.filter(({ check, status }) => status !== 'ok' && check !== 'durability')
      expect(new Set(findings.map(({ check }) => check))).toEqual(new Set(looked))
      return code === 0 && wrong.length === 0
    })
  })

  describe('finds and names, with what to do', () => {
    const finds = (seen: Seen, check: Finding['check'], found: RegExp, next: RegExp) => {
      expect(seen.code).toBe(1)
      expect(failures(seen)).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ check, found: expect.stringMatching(found), next: expect.stringMatching(next) }),
        ]),
      )
      for (const failure of failures(seen)) expect(failure.next).toEqual(expect.stringMatching(/\w/))
    }

    it('a setting that is not there, and a region abroad', async () => {
      finds(await examine({ JWKS_URL: undefined }), 'configuration', /^JWKS_URL: must be set$/, /set this variable/)
      finds(await examine({ REGION: 'us-east-1' }), 'configuration', /^REGION: must be in India/, /set this variable/)
    })

    it('a wrong password, without printing it', async () => {
      const url = new URL(wallet.databaseUrl)
      url.password = 'not-the-password'
      const seen = await examine({ DATABASE_URL: url.href })
      finds(seen, 'postgresql', /password authentication failed/, /set DATABASE_URL .*ALTER ROLE/)
      expect(seen.text).not.toContain('not-the-password')
    })

    it('a database that is not there, and a server that is not', async () => {
      const url = new URL(wallet.databaseUrl)
      url.pathname = '/nowhere'
      finds(await examine({ DATABASE_URL: url.href }), 'postgresql', /"nowhere" does not exist/, /create the database/)
      url.port = '1'
      finds(await examine({ DATABASE_URL: url.href }), 'postgresql', /ECONNREFUSED/, /start PostgreSQL/)
    })

    it('a PostgreSQL that loses what it acknowledged', async () => {
      finds(await examine({ NODE_ENV: 'development' }), 'durability', /fsync is off/, /set them to on/)
    })

    it('a migration that is to run', async () => {
      const { rows } = await pool.query<{ id: number; timestamp: bigint; name: string }>(
        'SELECT * FROM migrations ORDER BY id DESC LIMIT 1',
      )
      const { id, timestamp, name } = rows[0] ?? { id: 0, timestamp: 0n, name: '' }
      const seen = await change(
        `DELETE FROM migrations WHERE name = '${name}'`,
        `INSERT INTO migrations (id, timestamp, name) VALUES (${id}, ${timestamp}, '${name}')`,
        () => examine(),
      )
      finds(seen, 'migrations', new RegExp(`^1 are to run: ${name}$`), /npm run migrate -- --app wallet/)
    })

    it('a topic that is missing', async () => {
      const rename = (from: string, to: string) => `UPDATE log.topic SET name = '${to}' WHERE name = '${from}'`
      const seen = await change(rename('catalogue.events', 'x'), rename('x', 'catalogue.events'), () => examine())
      finds(seen, 'topics', /^catalogue\.events is missing$/, /start wallet: it makes them/)
    })

    it('a clock that is wrong, either way', async () => {
      const by = (ms: number): Clock => ({ ...systemClock, now: () => Date.now() + ms, sleep: (wait) => systemClock.sleep(wait) })
      finds(await examine({}, by(90_000)), 'clock', /^this machine's is [89]\d{4} ms ahead of PostgreSQL's$/, /NTP/)
      finds(await examine({}, by(-90_000)), 'clock', /[89]\d{4} ms behind/, /NTP/)
    })

    it('an event that was changed, and books that do not balance', async () => {
      const flip = `UPDATE events SET payload = set_byte(payload, 5, get_byte(payload, 5) # 1) WHERE version = 1 AND stream_id LIKE 'wallet-%'`
      finds(await change(flip, flip, () => examine()), 'invariants', /^hash-chains is broken: wallet-/, /repair nothing by hand/)
      const paisa = (sign: string) =>
        `UPDATE folded_books SET debits = debits ${sign} 1 WHERE account = (SELECT min(account) FROM folded_books)`
      const seen = await change(paisa('+'), paisa('-'), () => examine())
      finds(seen, 'invariants', /^books-balance is broken: 1 paise/, /InvariantBroken/)
    })

    const missing = redisMissing()
    if (!skippedWithout({ describe, it }, 'a Redis', missing))
      it('a Redis that stopped; one that runs is told', async () => {
        failWithout(missing)
        const redis = await startRedis()
        const up = await examine({ REDIS_URL: redis.url })
        expect(up.findings).toContainEqual(expect.objectContaining({ check: 'redis', status: 'ok' }))
        await redis.stop()
        finds(await examine({ REDIS_URL: redis.url }), 'redis', /ECONNREFUSED/, /start Redis/)
      })

    it('keys of persons that no master key opens', async () => {
      finds(await examine({ MASTER_KEY: 'B'.repeat(43) }), 'keys', /^\d+ of the keys of persons were wrapped by/, /MASTER_KEYS_BEFORE/)
      const before = await examine({ MASTER_KEY: 'B'.repeat(43), MASTER_KEYS_BEFORE: 'A'.repeat(43) })
      expect(before.findings).toContainEqual(expect.objectContaining({ check: 'keys', status: 'ok' }))
    })

    it('an app that stopped: what waits for it, what is parked, what nobody relays, and a relay that is held', async () => {
      const stopped = await startTestWallet()
      const standing = async () => (await stopped.driver.groups()).find(({ topic }) => topic === WALLET_COMMANDS)
      const producer = await stopped.driver.producer()
      const send = (text: string) =>
        producer.send([{ topic: WALLET_COMMANDS, key: 'k', headers: {}, value: new TextEncoder().encode(text) }])
      const own = createPool({ url: stopped.databaseUrl, schema: 'wallet', applicationName: 'test', maxConnections: 1 })
      try {
        await stopped.wallet('c-2', 500)
        await send('no message')
        await eventually('it is parked, and that is told', async () => ((await standing())?.parked ?? 0) > 0)
        await stopped.app.close()
        await send('nor this')
        await own.query('UPDATE relay SET position = 0')
        const env = Object.fromEntries(Object.entries(stopped.config).map(([name, value]) => [name, String(value)]))
        const later: Clock = { ...systemClock, now: () => Date.now() + 60_000, sleep: (wait) => systemClock.sleep(wait) }
        const seen = await examineBy(env, later)
        finds(seen, 'lag', /^1 messages wait, the oldest for \d+ s$/, /ConsumerLag/)
        finds(seen, 'lag', /^1 messages are parked$/, /MessagesParked/)
        finds(seen, 'relay', /^\d+ positions wait, and no living process relays them$/, /RelayStands/)
        expect(seen.findings).toContainEqual(
          expect.objectContaining({ check: 'lag', status: 'warning', found: expect.stringMatching(/no living process reads/) }),
        )
        await own.query('UPDATE relay SET held_at = 1')
        finds(await examineBy(env), 'relay', /^held at 1 by a move to another log$/, /migrate-log/)
      } finally {
        await own.end()
        await producer.close()
        await stopped.close()
      }
    })

    it('a log of Kafka that is not there', async () => {
      finds(await examine({ LOG: 'kafka' }), 'configuration', /KAFKA_BROKERS: must be set/, /set this variable/)
      finds(await examine({ LOG: 'kafka', KAFKA_BROKERS: '127.0.0.1:1' }), 'log', /kafka: /, /mend KAFKA_BROKERS/)
    })
  })

  it('is a command of the app itself, which sees what the app sees', async () => {
    const { code, out } = await command(healthy, 'doctor', '--json')
    const own = JSON.parse(out) as { ok: boolean; findings: readonly Finding[] }
    const { findings } = await examine()
    expect([code, own.ok]).toEqual([0, true])
    expect(own.findings.map(({ app, check }) => [app, check])).toEqual(findings.map(({ app, check }) => [app, check]))
    const wrong = await command({ ...healthy, REGION: 'us-east-1' }, 'doctor')
    expect(wrong).toEqual({
      code: 1,
      out: expect.stringMatching(/FAILED +wallet +configuration +REGION: must be in India[^]*-> set this[^]*1 failed/),
    })
    expect((await command(healthy, 'doctor', '--help')).out).toMatch(/--json[^]*prints no secret/)
  })

  it('says that nothing was started, or that it must know whose the environment is', async () => {
    const { io, out } = ioOf({})
    await runProgram([{ register }], io, ['doctor', '--home', '/nowhere'])
    expect([io.exitCode, out.join('\n')]).toEqual([
      1,
      expect.stringMatching(/FAILED +bahi +platform +nothing was started from \/nowhere\n +-> start it by `npm start`/),
    ])
    const other = ioOf({ DATABASE_URL: 'postgres://a:hunter2@b/c' })
    await runProgram([{ register }], other.io, ['doctor'])
    expect([other.io.exitCode, other.out.join('\n')]).toEqual([1, expect.stringMatching(/say by --app whose it is/)])
  })

  it('explains itself', async () => {
    const { io, out } = ioOf({})
    await runProgram([{ register }], io, ['doctor', '--help'])
    expect([io.exitCode, out.join('\n')]).toEqual([0, expect.stringMatching(/--app <name>[^]*--home[^]*--json[^]*prints no secret/)])
  })
})
