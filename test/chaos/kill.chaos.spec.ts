import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, it } from '@jest/globals'
import { audit, openSagas } from './audit.js'
import { dataFolder, end, newHome, postmasterPid, removeHome, spawnPlatform, type Spawned } from './running-process.js'
import { random, Shop, Traffic } from './traffic.js'

const KILLS = Number(process.env['KILLS'] ?? 10)
const POSTGRES_KILLS = Math.ceil(KILLS * 0.4)
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const LANES = 6
/** Traffic between two kills, and after the last, from when as many calls as there are lanes have been answered. */
const LIVES_MS = { least: 500, most: 3_500 }

/** A test may take so long for each kill, besides the start and the end. */
const PER_KILL_MS = 40_000
const BESIDES_MS = 240_000

describe(`killed while traffic runs (CHAOS_SEED=${SEED}, KILLS=${KILLS})`, () => {
  const home = newHome()
  let platform: Spawned | undefined
  const lives: Spawned[] = []
  const live = (port?: number): Spawned => {
    platform = spawnPlatform(port === undefined ? { home } : { home, port })
    lives.push(platform)
    return platform
  }
  afterEach(async () => {
    if (platform) await end(platform, 'SIGTERM')
    const log = join(tmpdir(), 'bahi-chaos.log')
    writeFileSync(log, lives.splice(0).map(logOf).join('\n\n'))
    console.log(`what the platform said in its lives: ${log}`)
    removeHome(home)
  })

  const begin = async (name: string, seed: number) => {
    const running = live()
    const baseUrl = await running.ready
    const shop = new Shop(baseUrl)
    const dice = random(seed)
    const traffic = new Traffic(shop, random(seed + 1), `${name}-${seed}`)
    await traffic.open(4, 3)
    traffic.start(LANES)
    const life = async () => {
      await shop.answers(LANES)
      await wait(LIVES_MS.least + dice() * (LIVES_MS.most - LIVES_MS.least))
    }
    return { baseUrl, shop, traffic, dice, life, running }
  }

  it(
    `the process, ${KILLS} times: nothing acknowledged is lost, nothing happens twice, every saga ends`,
    async () => {
      const { baseUrl, shop, traffic, dice, life, running } = await begin('process', SEED)
      const port = Number(new URL(baseUrl).port)
      let current = running
      for (let kill = 0; kill < KILLS; kill++) {
        await life()
        await end(current, 'SIGKILL')
        current = live(port)
        // Now and then it does not even get as far as being ready.
        if (dice() < 0.2 && kill + 1 < KILLS) await wait(dice() * 3_000)
        else await current.ready
      }
      await life()
      await traffic.stop()
      expect([...(await audit(traffic)), ...(await openSagas(shop))]).toEqual([])
      expect(shop.disconnected).toBeGreaterThan(0)
      console.log(
        `${KILLS} kills: ${traffic.placed.length} orders, ${shop.acknowledged.length} acknowledged calls, ${shop.disconnected} cut off`,
      )
    },
    KILLS * PER_KILL_MS + BESIDES_MS,
  )

  it(
    `PostgreSQL, ${POSTGRES_KILLS} times: answers 503 meanwhile and recovers by itself`,
    async () => {
      const { shop, traffic, life, running } = await begin('postgres', SEED + 7)
      for (let kill = 0; kill < POSTGRES_KILLS; kill++) {
        await life()
        const pid = postmasterPid(dataFolder(home))
        if (pid === undefined) throw new Error(`PostgreSQL does not run:\n${running.stderr.slice(-20).join('\n')}`)
        process.kill(pid, 'SIGKILL')
        // A pid alone says little: a try that meets the orphans of the old server has one too, and ends.
        await until(
          () => running.stderr.filter((line) => line.includes('PostgreSQL had ended by itself and was started again')).length > kill,
          () => running.stderr,
        )
      }
      await life()
      await traffic.stop()
      expect([...(await audit(traffic)), ...(await openSagas(shop))]).toEqual([])
      expect(running.child.exitCode).toBeNull()
      expect(shop.unavailable).toBeGreaterThan(0)
      expect(shop.disconnected).toBe(0)
      console.log(`${POSTGRES_KILLS} kills of PostgreSQL: ${traffic.placed.length} orders, ${shop.unavailable} answers of 503`)
    },
    POSTGRES_KILLS * PER_KILL_MS + BESIDES_MS,
  )
})

const logOf = ({ pid, stdout, stderr }: Spawned): string => [`process ${pid}`, ...stdout, ...stderr].join('\n')

const until = async (condition: () => boolean, log: () => readonly string[], timeout_ms = 60_000): Promise<void> => {
  const deadline = Date.now() + timeout_ms
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not reached within ${timeout_ms} ms:\n${log().slice(-20).join('\n')}`)
    await wait(50)
  }
}
