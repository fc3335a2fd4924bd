import { execFile } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import pg from 'pg'
import { placePostgres } from '../../apps/bahi/postgres/placement.js'
import { startPostgres } from '../../apps/bahi/postgres/server.js'
import { audit } from './audit.js'
import { dataFolder, end, killServer, newHome, removeHome, ROOT, spawnPlatform, type Spawned } from './running-process.js'
import { random, Shop, Traffic } from './traffic.js'

const run = promisify(execFile)
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const LANES = 6
/** Of traffic: before the backup, between it and the point in time, and after that. */
const LIFE_MS = 2_500
const STORES = ['order-command', 'wallet', 'payment-saga', 'fraud']

describe(`restored to a point in time (CHAOS_SEED=${SEED})`, () => {
  const home = newHome()
  const data = dataFolder(home)
  const [wal, backup] = [join(home, 'wal'), join(home, 'backup')]
  let platform: Spawned | undefined
  const live = async (port = 0): Promise<string> => {
    platform = spawnPlatform({ home, port })
    return platform.ready
  }
  afterEach(async () => {
    if (platform) await end(platform, 'SIGTERM')
    removeHome(home)
  })

  const superuser = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const password = readFileSync(join(home, 'postgres/password'), 'utf8').trim()
    const port = readFileSync(join(home, 'postgres/port'), 'utf8').trim()
    const client = new pg.Client({ connectionString: `postgres://postgres:${password}@127.0.0.1:${port}/postgres` })
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.end()
    }
  }

  it('keeps what was acknowledged before it, once; what came after is done again by those who repeat it; all books agree', async () => {
    // As docs/operations.md says: archive from the beginning on.
    const port = Number(new URL(await live()).port)
    mkdirSync(wal)
    chmodSync(wal, 0o777)
    await superuser(async (client) => {
      await client.query('ALTER SYSTEM SET archive_mode = on')
      await client.query(`ALTER SYSTEM SET archive_command = 'test ! -f "${wal}/%f" && cp "%p" "${wal}/%f"'`)
    })
    await end(platform!, 'SIGTERM')
    const shop = new Shop(await live(port))
    const traffic = new Traffic(shop, random(SEED + 1), `restore-${SEED}`)
    await traffic.open(4, 3)
    traffic.start(LANES)
    await wait(LIFE_MS)
    await superuser(baseBackup)
    await wait(LIFE_MS)
    const kept = shop.acknowledged.length
    const point = await superuser(async (client) => (await client.query<{ now: Date }>('SELECT clock_timestamp() AS now')).rows[0]!.now)
    await wait(LIFE_MS)
    await traffic.stop()
    const lost = shop.acknowledged.length - kept
    await superuser(archived)

    await end(platform!, 'SIGKILL')
    killServer(data)
    rmSync(data, { recursive: true })
    // A killed server may stay for a while as a zombie, and its lock would seem to be held.
    for (const file of readdirSync(dirname(data)).filter((name) => name.startsWith('.s.PGSQL'))) rmSync(join(dirname(data), file))
    renameSync(backup, data)
    appendFileSync(
      join(data, 'postgresql.auto.conf'),
      `restore_command = 'cp "${wal}/%f" "%p"'\nrecovery_target_time = '${point.toISOString().replace('T', ' ').replace('Z', '+00')}'\nrecovery_target_action = 'promote'\n`,
    )
    const placement = await placePostgres(home)
    asServer(join(data, 'recovery.signal'), (path) => writeFileSync(path, ''))
    const server = await startPostgres(placement)
    await superuser(async (client) => {
      await eventually(
        'it came to the point in time',
        async () => (await client.query<{ on: boolean }>('SELECT pg_is_in_recovery() AS on')).rows[0]?.on === false,
        30_000,
      )
    })
    // The lease that a relay had when time stood still must run out first.
    for (const app of STORES) await renewed(app)
    await server.stop()

    await live(port)
    const differences = await repeated(traffic, kept)
    expect(differences).toEqual([])
    expect(lost).toBeGreaterThan(0)
    expect(await audit(traffic)).toEqual([])
    await well()
    console.log(`${kept} acknowledged calls before the point, ${lost} after it: ${traffic.placed.length} orders`)
  }, 600_000)

  /** A base backup as PostgreSQL documents it by hand: the files as they come, and the label that makes them whole with the WAL. */
  const baseBackup = async (client: pg.Client): Promise<void> => {
    await client.query(`SELECT pg_backup_start('restore', true)`)
    // A file may go away while it is copied; what is needed of it is in the WAL.
    await run('cp', ['-a', data, backup], { timeout: 60_000 }).catch(({ stderr }: { stderr: string }) => {
      const others = stderr.split('\n').filter((line) => line !== '' && !line.includes('No such file or directory'))
      if (others.length > 0) throw new Error(others.join('\n'))
    })
    const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(true)')
    for (const file of ['postmaster.pid', 'postmaster.opts', 'pg_wal']) rmSync(join(backup, file), { recursive: true, force: true })
    for (const folder of ['pg_wal', 'pg_wal/archive_status', 'pg_wal/summaries'])
      asServer(join(backup, folder), (path) => mkdirSync(path, 0o700))
    asServer(join(backup, 'backup_label'), (path) => writeFileSync(path, rows[0]!.labelfile))
  }

  /** Makes it, and gives it to whom the cluster belongs: as root the server runs as another. */
  const asServer = (path: string, make: (path: string) => unknown): void => {
    const { uid, gid } = statSync(join(path.startsWith(backup) ? backup : data, 'PG_VERSION'))
    make(path)
    chownSync(path, uid, gid)
  }

  /** Until the WAL so far is in the archive. */
  const archived = async (client: pg.Client): Promise<void> => {
    const { rows } = await client.query<{ file: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS file')
    await eventually(
      `${rows[0]!.file} is archived`,
      async () => {
        const { rows: done } = await client.query<{ last: string | null }>('SELECT last_archived_wal AS last FROM pg_stat_archiver')
        return (done[0]?.last ?? '') >= rows[0]!.file
      },
      30_000,
    )
  }

  const bahi = async (...words: string[]): Promise<Record<string, unknown>[]> => {
    const { stdout } = await run(process.execPath, [join(ROOT, 'dist/apps/bahi/cli/main.js'), ...words], { cwd: ROOT, timeout: 120_000 })
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** Until the doctor finds nothing wrong: read models may have a moment to go. */
  const well = async (): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      const said = await bahi('doctor', '--home', home, '--json').then(
        () => undefined,
        ({ stdout }: { stdout: string }) => stdout,
      )
      if (said === undefined) return
      if (attempt > 20) throw new Error(said)
      await wait(1_000)
    }
  }

  const renewed = async (app: string): Promise<void> => {
    for (let attempt = 0; ; attempt++) {
      const refused = await bahi('events', 'renew', '--app', app, '--home', home, '--json').then(
        ([told]) => void expect(String(told?.['after']) > String(told?.['before'])).toBe(true),
        (error: { stderr: string }) => error.stderr,
      )
      if (refused === undefined) return
      if (attempt > 20 || !refused.includes('a process of the app publishes')) throw new Error(refused)
      await wait(1_000)
    }
  }
})

/**
 * What every client does that was cut off: each call again, with its key, in order. Answers where one acknowledged before the point in time is
 * answered otherwise. What was lost is done anew, and stands in the traffic's books from then on; an order under its new id.
 */
const repeated = async ({ shop, placed }: Traffic, kept: number): Promise<string[]> => {
  const findings: string[] = []
  const ids = new Map<string, string>()
  for (const [at, call] of shop.acknowledged.entries()) {
    const path = call.path.replace(/(?<=^\/v1\/orders\/)[^/]+/, (id) => ids.get(id) ?? id)
    const { status, text, headers } = await shop.call('POST', path, call.token, call.body, call.key)
    const same = status === call.status && text === call.text && headers.get('idempotency-replayed') === 'true'
    if (at < kept && !same) findings.push(`${call.key}: acknowledged ${call.status} ${call.text}, now ${status} ${text}`)
    if (!(status < 300 || status === 409)) findings.push(`${call.key}: ${status} ${text}`)
    shop.acknowledged[at] = { ...call, path, status, text }
    if (call.path === '/v1/orders') ids.set(idOf(call.text), idOf(text))
  }
  placed.splice(0, placed.length, ...placed.map((order) => ({ ...order, orderId: ids.get(order.orderId) ?? order.orderId })))
  return findings
}

const idOf = (order: string): string => (JSON.parse(order) as { orderId: string }).orderId
