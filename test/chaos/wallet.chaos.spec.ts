import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { placePostgres, type Placement } from '../../apps/bahi/postgres/placement.js'
import { removePostgres, startPostgres, type RunningPostgres } from '../../apps/bahi/postgres/server.js'
import { supervisePostgres } from '../../apps/bahi/postgres/supervise.js'
import { startIssuer, type Issuer } from '../distributed/issuer.js'
import { run, startProcess, type AppProcess } from '../distributed/processes.js'
import { killServer, newHome, removeHome } from './running-process.js'
import { random, Shop } from './traffic.js'
import { auditWallets, type WalletCount } from './wallet-audit.js'
import { WalletTraffic } from './wallet-traffic.js'

const KILLS = Number(process.env['KILLS'] ?? 20)
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const LANES = 16
const WALLETS = 6
/** Load between two kills, and after the last, from when as many calls as there are lanes have been answered: else a slow start leaves some unanswered for ever. */
const LIVES_MS = { least: 200, most: 1_000 }

const PER_KILL_MS = 40_000
const BESIDES_MS = 180_000

/** The wallet's app as it is deployed, a process of its own, on a PostgreSQL of its own with fsync on. */
describe(`the wallet's app killed under load (CHAOS_SEED=${SEED}, KILLS=${KILLS})`, () => {
  let home: string
  let placement: Placement
  let server: RunningPostgres
  let issuer: Issuer
  let environment: Readonly<Record<string, string>>
  let app: AppProcess
  beforeEach(async () => {
    home = newHome()
    placement = await placePostgres(home)
    server = await startPostgres(placement)
    issuer = await startIssuer()
    environment = {
      DATABASE_URL: server.url,
      KEYS_DATABASE_URL: server.url,
      LOG: 'postgres',
      ...issuer.environment,
      MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
      FRAUD_HASH_KEY: 'k'.repeat(32),
      REGION: 'in-test',
      // Else transfers are refused after a few.
      WALLET_LIMITS: '[]',
      RATE_LIMIT_PER_SECOND: '100000',
      RATE_LIMIT_BURST: '100000',
      HOLD_EXPIRY_POLL_MS: '100',
      LOG_LEVEL: 'error',
    }
    const migrated = await run('wallet', ['migrate'], environment)
    if (migrated.code !== 0) throw new Error(`the database was not migrated:\n${migrated.output.join('\n')}`)
    app = await startProcess('wallet', environment)
  }, BESIDES_MS)
  afterEach(async () => {
    await app?.stop()
    issuer?.close()
    await removePostgres(placement)
    removeHome(home)
  })

  const begin = async (seed: number) => {
    const shop = new Shop(app.url)
    const traffic = new WalletTraffic(shop, random(seed), issuer)
    await traffic.open(WALLETS)
    traffic.start(LANES)
    const dice = random(seed + 1)
    const life = async () => {
      await shop.answers(LANES)
      await wait(LIVES_MS.least + dice() * (LIVES_MS.most - LIVES_MS.least))
    }
    return { shop, traffic, life }
  }

  it(
    `the process, ${KILLS} times: every acknowledged command is there, none twice, no hold is stranded, chains verify`,
    async () => {
      const { shop, traffic, life } = await begin(SEED)
      const { port } = new URL(app.url)
      for (let kill = 0; kill < KILLS; kill++) {
        await life()
        await app.kill()
        app = await startProcess('wallet', { ...environment, PORT: port })
      }
      await life()
      await traffic.stop()
      const { findings, count } = await auditWallets(shop, issuer)
      expect(withLog(findings, app)).toEqual([])
      // Without calls that were cut off this would show little.
      expect(shop.disconnected).toBeGreaterThan(KILLS)
      expect(count.expired).toBeGreaterThan(0)
      console.log(`${KILLS} kills of the app: ${told(count)}; ${shop.disconnected} calls were cut off or found nobody`)
    },
    KILLS * PER_KILL_MS + BESIDES_MS,
  )

  it(
    `PostgreSQL, ${KILLS} times: the same, and the app lives on`,
    async () => {
      let restarts = 0
      let givenUp: unknown
      const supervisor = supervisePostgres({
        url: server.url,
        ensure: () => startPostgres(placement, server.port),
        onRestarted: () => restarts++,
        onGivenUp: (error) => (givenUp = error),
      })
      try {
        const { shop, traffic, life } = await begin(SEED + 7)
        for (let kill = 0; kill < KILLS; kill++) {
          await life()
          killServer(join(placement.folder, 'data'))
          const deadline = Date.now() + PER_KILL_MS
          while (restarts <= kill) {
            if (givenUp !== undefined || Date.now() > deadline) throw new Error('PostgreSQL was not started again', { cause: givenUp })
            await wait(20)
          }
        }
        await life()
        await traffic.stop()
        const { findings, count } = await auditWallets(shop, issuer)
        expect(withLog(findings, app)).toEqual([])
        expect(restarts).toBe(KILLS)
        expect(shop.disconnected).toBe(0)
        expect(count.expired).toBeGreaterThan(0)
        console.log(`${KILLS} kills of PostgreSQL: ${told(count)}; ${shop.unavailable} answers of 503`)
      } finally {
        await supervisor.stop()
      }
    },
    KILLS * PER_KILL_MS + BESIDES_MS,
  )
})

/** Beside what was found, what the app logged last: an answer of 500 says no more than its trace. */
const withLog = (findings: readonly string[], { output }: AppProcess): readonly string[] =>
  findings.length === 0 ? [] : [...findings, ...output.slice(-20)]

const told = ({ accepted, refused, holds, expired }: WalletCount): string =>
  `${accepted} commands accepted and ${refused} refused, each once; ${holds} holds, of which ${expired} expired by themselves`
