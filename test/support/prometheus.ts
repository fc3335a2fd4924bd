import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import { freePort } from './kafka.mjs'

const DEPLOYED = join(import.meta.dirname, '../../deploy/prometheus')
const START_MS = 30_000
const ASK_MS = 10_000
/** A scrape reads the databases, which on a busy machine takes its time. */
const EVERY_S = 2

/** Why Prometheus cannot run here, or undefined when it can. */
export const prometheusMissing = (): string | undefined =>
  spawnSync('prometheus', ['--version'], { timeout: 10_000 }).status === 0 ? undefined : 'needs prometheus (Debian: prometheus)'

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly number[]
}

export interface TestPrometheus {
  /** What an expression came to since it was started, as a panel asks; one that Prometheus refuses throws. */
  ask(expr: string): Promise<readonly Series[]>
  stop(): Promise<void>
}

interface Config {
  readonly global: object
  readonly rule_files: readonly string[]
  readonly scrape_configs: readonly { readonly dns_sd_configs?: unknown }[]
}

/** Compose's configuration, its rules among it, but for how often it looks, and where: at `address`, which Compose finds by the name `app`. */
const configFor = (address: string, app: string): string => {
  const { rule_files, scrape_configs, ...rest } = parse(readFileSync(join(DEPLOYED, 'prometheus.yml'), 'utf8')) as Config
  return stringify({
    ...rest,
    global: { scrape_interval: `${EVERY_S}s`, evaluation_interval: `${EVERY_S}s` },
    rule_files: rule_files.map((file) => join(DEPLOYED, file)),
    scrape_configs: scrape_configs.map((scrape) => {
      const { dns_sd_configs: _byName, ...found } = scrape
      return { ...found, static_configs: [{ targets: [address], labels: { __meta_dns_name: app } }] }
    }),
  })
}

/** A Prometheus that scrapes `address` as Compose's scrapes the app `app`, and evaluates the rules that are deployed. */
export const startPrometheus = async (address: string, app: string): Promise<TestPrometheus> => {
  const folder = mkdtempSync(join(tmpdir(), 'bahi-prometheus-'))
  writeFileSync(join(folder, 'prometheus.yml'), configFor(address, app))
  const here = `127.0.0.1:${await freePort()}`
  const server = spawn(
    'prometheus',
    [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=${here}`, '--log.level=warn'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let said = ''
  server.stderr.on('data', (data: Buffer) => (said = (said + String(data)).slice(-2_000)))
  const exited = new Promise((resolve) => server.once('exit', resolve))
  // A test run that is killed must not leave it behind.
  const onExit = () => server.kill('SIGKILL')
  process.once('exit', onExit)
  const stop = async () => {
    process.removeListener('exit', onExit)
    if (server.exitCode === null && server.signalCode === null) server.kill('SIGKILL')
    await exited
    rmSync(folder, { recursive: true, force: true })
  }
  const began_ms = Date.now()
  while (!(await isReady(here))) {
    if (server.exitCode !== null || Date.now() > began_ms + START_MS) {
      await stop()
      throw new Error(`prometheus did not start:\n${said}`)
    }
    await wait(50)
  }
  return { ask: (expr) => askPrometheus(here, expr, began_ms), stop }
}

const isReady = (address: string): Promise<boolean> =>
  fetch(`http://${address}/-/ready`, { signal: AbortSignal.timeout(ASK_MS) }).then(
    ({ ok }) => ok,
    () => false,
  )

interface Answer {
  readonly status: string
  readonly error?: string
  readonly data?: {
    readonly result: readonly { readonly metric: Series['metric']; readonly values: readonly (readonly [number, string])[] }[]
  }
}

export const askPrometheus = async (address: string, expr: string, since_ms: number): Promise<readonly Series[]> => {
  const range = { query: expr, start: String(since_ms / 1_000), end: String(Date.now() / 1_000), step: String(EVERY_S) }
  const asked = { method: 'POST', body: new URLSearchParams(range), signal: AbortSignal.timeout(ASK_MS) }
  const response = await fetch(`http://${address}/api/v1/query_range`, asked)
  const { status, error, data } = (await response.json()) as Answer
  if (status !== 'success' || !data) throw new Error(`${expr}: ${error}`)
  return data.result.map(({ metric, values }) => ({ metric, values: values.map(([, value]) => Number(value)) }))
}
