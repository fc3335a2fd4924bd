import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from '@jest/globals'
import { dataFolder, follow, newHome, ON_A_TERMINAL, postmasterPid, removeHome, ROOT, type Spawned } from '../chaos/running-process.js'
import { freePort } from '../support/kafka.mjs'

const run = promisify(execFile)
/** Packages come from the registry, or from npm's cache. */
const FIRST_START_MS = 10 * 60_000
const DEMO_MS = 180_000

/** A newcomer's environment: this machine's Node, nothing of the run that this is part of. */
const newcomer = (): Record<string, string | undefined> => {
  const ours = /^(npm_lifecycle|npm_package|npm_command|npm_execpath|npm_node_execpath|INIT_CWD$|NODE|CI$|BAHI_|PORT$)/
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name))
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.startsWith(ROOT))
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter) }
}

describe('a clean clone', () => {
  const folder = newHome()
  const checkout = join(folder, 'bahi')
  const data = dataFolder(join(checkout, '.bahi'))
  let platform: Spawned | undefined
  /** As a terminal does: to every process of the group. */
  const signal = (name: NodeJS.Signals) => platform && process.kill(-platform.pid, name)
  afterEach(async () => {
    if (platform?.child.exitCode === null && platform.child.signalCode === null) {
      signal('SIGTERM')
      await platform.exited
    }
    removeHome(folder, data)
  })

  it(
    'starts by npm start, takes the three lines that it prints, is driven by npm run demo, and ends by Ctrl-C',
    async () => {
      await run('git', ['clone', '--quiet', `file://${ROOT}`, checkout], { timeout: 60_000 })
      const began = performance.now()
      const env = { ...newcomer(), PORT: String(await freePort()) }
      const child = spawn('npm', ['start'], { cwd: checkout, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
      platform = follow(child, FIRST_START_MS)
      const baseUrl = await platform.ready
      console.log(`the first start of a clean clone took ${Math.round((performance.now() - began) / 1_000)} s`)
      expect(baseUrl).toBe(`http://localhost:${env.PORT}`)
      const docs = await fetch(`${baseUrl}/docs`)
      expect([docs.status, docs.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])

      const lines = platform.stdout.filter((line) => line.startsWith('curl '))
      const answers: string[] = []
      for (const line of lines) answers.push((await run('sh', ['-c', line], { timeout: 30_000 })).stdout)
      expect(answers).toEqual([
        expect.stringContaining('"sku":"BOAT-141"'),
        expect.stringContaining('"available":100'),
        expect.stringMatching(/^HTTP\/1\.1 201 /),
      ])

      const words = ['run', 'demo', '--', '--url', baseUrl, '--orders', '40', '--customers', '10']
      const [terminal, ...rest] = [...ON_A_TERMINAL, 'npm', ...words]
      const demo = await run(terminal, rest, { cwd: checkout, env, timeout: DEMO_MS })
      expect(demo.stdout).toMatch(/orders +█+ 40\/40/)
      expect(demo.stdout).toMatch(/\n40 orders in [\d.]+ s; PLACED after p50 \d+ ms, p99 \d+ ms/)
      expect(demo.stdout).toMatch(/paid by .* order ended .* orders .* p50 ms .* p99 ms/)
      expect(demo.stdout).toMatch(/\n {2}holds /)

      signal('SIGINT')
      // npm's own shell has the signal too, and may end by it where ours, which `start.chaos.spec.ts` asks for, ended with 0.
      expect([0, 'SIGINT']).toContain(await platform.exited.then(({ code, signal: by }) => code ?? by))
      expect(platform.stderr).toEqual([])
      expect(existsSync(join(checkout, '.bahi/running.pid'))).toBe(false)
      expect(postmasterPid(data)).toBeUndefined()
    },
    FIRST_START_MS + DEMO_MS + 120_000,
  )
})
