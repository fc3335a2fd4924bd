import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { eventually } from '#kernel/testing'
import { freePort } from '../support/kafka.mjs'
import { ContainerLog } from './node-logs.js'
import { named, workloadsOf, type Container } from './objects.js'
import { render } from './render.js'
import type { Sink } from './sink.js'
import { collector } from './tools.mjs'

const CONFIG = '/etc/otelcol/config.yaml'
/** What the collector gives itself to come up and to go, with room for a busy machine. */
const UP_OR_DOWN_MS = 60_000

interface Config {
  readonly receivers: { readonly file_log: { readonly include: readonly string[]; readonly exclude: readonly string[] } }
}

/**
 * A node with the log pipeline's collector: the program, arguments, environment and configuration that k8s/overlays/logs renders, as they are but for
 * what a node gives, which a second file says over it: where the logs and the collector's own folder are, and a port that is free.
 */
export class CollectorNode {
  /** The configuration as it is rendered. */
  readonly text: string
  /** What the collector that was started last has said. */
  said = ''
  readonly #program = collector()
  readonly #folder = mkdtempSync(join(tmpdir(), 'bahi-logs-'))
  readonly #container: Container
  #child: ChildProcess | undefined
  #containers = 0

  constructor(readonly sink: Sink) {
    const { objects } = render('logs')
    this.#container = workloadsOf(objects).find(({ kind }) => kind === 'DaemonSet')!.pod!.containers[0]!
    this.text = named(objects, 'ConfigMap').find(({ metadata }) => metadata.name.startsWith('log-collector'))!.data!['config.yaml']!
    for (const name of ['pods', 'places']) mkdirSync(join(this.#folder, name))
  }

  /** A container of the namespace `bahi`, which has written nothing yet. */
  container(app: string): ContainerLog {
    const nth = String(++this.#containers).padStart(12, '0')
    const name = { namespace: 'bahi', pod: `${app}-5d4f8c7b9-${nth}`, uid: `00000000-0000-4000-8000-${nth}`, container: 'app' }
    return new ContainerLog(join(this.#folder, 'pods'), name)
  }

  /** What the collector says of a configuration without running it. */
  validate(text: string): { readonly status: number | null; readonly stderr: string } {
    const args = ['validate', ...this.#args(text, '127.0.0.1:0')]
    return spawnSync(this.#program, args, { env: this.#env(), encoding: 'utf8', timeout: UP_OR_DOWN_MS })
  }

  async start(): Promise<void> {
    const health = `127.0.0.1:${await freePort()}`
    const child = spawn(this.#program, this.#args(this.text, health), { env: this.#env() })
    this.#child = child
    this.said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (this.said += data.toString()))
    const ready = async (): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`the collector ended:\n${this.said}`)
      return fetch(`http://${health}/`).then(
        ({ ok }) => ok,
        () => false,
      )
    }
    await eventually('the collector is ready', ready, UP_OR_DOWN_MS)
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), UP_OR_DOWN_MS)
    await ended
    clearTimeout(late)
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** The container's own, and a second file with what the node gives. */
  #args(text: string, endpoint: string): readonly string[] {
    const [config, node] = [join(this.#folder, 'config.yaml'), join(this.#folder, 'node.yaml')]
    const { include, exclude } = (parse(this.text) as Config).receivers.file_log
    const here = (path: string): string => path.replace('/var/log/pods', join(this.#folder, 'pods'))
    const given = {
      extensions: { health_check: { endpoint }, file_storage: { directory: join(this.#folder, 'places') } },
      receivers: { file_log: { include: include.map(here), exclude: exclude.map(here) } },
      // Its own metrics are for nobody here, and their port may be another's.
      service: { telemetry: { metrics: { level: 'none' } } },
    }
    writeFileSync(config, text)
    writeFileSync(node, stringify(given))
    return [...(this.#container.args ?? []).map((each) => each.replace(CONFIG, config)), `--config=${node}`]
  }

  /** What the manifest and its secret set; the time of an image is UTC. */
  #env(): Record<string, string> {
    const set = (this.#container.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))
    const { url, authorization } = this.sink
    return { ...Object.fromEntries(set), SINK_URL: url, SINK_AUTHORIZATION: authorization, TZ: 'UTC' }
  }
}
