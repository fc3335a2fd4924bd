// kustomize (or kubectl, which has it inside) and kubeconform: what is installed, or else built by Go into .cache/tools, at these versions; and the
// OpenTelemetry Collector of ./collector, always built.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Refused } from '../../scripts/prepare.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const bin = join(root, '.cache/tools')
const MODULES = {
  kustomize: 'sigs.k8s.io/kustomize/kustomize/v5@v5.8.1',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0',
}
const BUILD_MS = 600_000
const COLLECTOR_MS = 30 * 60_000

const runs = (command, ...args) => spawnSync(command, args, { timeout: 20_000 }).status === 0

const built = (name) => {
  const file = join(bin, name)
  if (existsSync(file)) return file
  if (!runs('go', 'version')) return undefined
  mkdirSync(bin, { recursive: true })
  const { status } = spawnSync('go', ['install', MODULES[name]], {
    env: { ...process.env, GOBIN: bin },
    timeout: BUILD_MS,
    stdio: 'inherit',
  })
  return status === 0 ? file : undefined
}

/** The command that renders a folder, without the folder; undefined where none can be had. */
export const kustomize = () => {
  if (runs('kubectl', 'kustomize', '--help')) return ['kubectl', 'kustomize']
  if (runs('kustomize', 'version')) return ['kustomize', 'build']
  const file = built('kustomize')
  return file && [file, 'build']
}

export const kubeconform = () => (runs('kubeconform', '-v') ? 'kubeconform' : built('kubeconform'))

const sources = join(dirname(fileURLToPath(import.meta.url)), 'collector')
const CONTRIB = 'github.com/open-telemetry/opentelemetry-collector-contrib'

/** The release of which the collector's parts are, as its image is named. */
export const collectorVersion = () =>
  new RegExp(`${CONTRIB}/receiver/filelogreceiver v(\\S+)`).exec(readFileSync(join(sources, 'go.mod'), 'utf8'))?.[1]

/** The collector's program: built once for these sources and modules, whose checksums are in go.sum. That takes minutes, and Go says nothing meanwhile. */
export const collector = () => {
  const hash = createHash('sha256')
  for (const name of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(sources, name)))
  const file = join(bin, `otelcol-${collectorVersion()}-${hash.digest('hex').slice(0, 12)}`)
  if (existsSync(file)) return file
  if (!runs('go', 'version'))
    throw new Refused('the log pipeline is proven by a real collector, which Go builds once: install Go 1.26 or newer')
  console.log('building the OpenTelemetry Collector from its modules, which takes some minutes')
  mkdirSync(bin, { recursive: true })
  // Whole or not at all: the next run takes what it finds.
  const { status } = spawnSync('go', ['build', '-trimpath', '-mod=readonly', '-ldflags=-s -w', '-o', `${file}.part`, '.'], {
    cwd: sources,
    env: { ...process.env, CGO_ENABLED: '0' },
    timeout: COLLECTOR_MS,
    stdio: 'inherit',
  })
  if (status !== 0) throw new Refused('the collector could not be built: see above')
  renameSync(`${file}.part`, file)
  return file
}

/** promtool is of Prometheus: Debian's package, or its image. */
export const promtool = () => (runs('promtool', '--version') ? 'promtool' : undefined)

/** Schemas of operators whose versions the public catalogue does not say, and those kept beside the checkout, for networks without the public ones. */
export const schemaLocations = () => {
  const own = join(root, 'test/k8s/schemas/{{.ResourceKind}}{{.KindSuffix}}.json')
  const kept = join(root, '../shared/kubernetes/schemas')
  if (existsSync(kept)) return [own, `${kept}/{{.ResourceKind}}{{.KindSuffix}}.json`]
  return [
    own,
    'default',
    'https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json',
  ]
}

export const MISSING = 'needs kubectl, kustomize or Go, kubeconform or Go, and promtool (Debian: prometheus)'
