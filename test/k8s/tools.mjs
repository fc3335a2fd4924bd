// kustomize (or kubectl, which has it inside) and kubeconform: what is installed, or else built by Go into .cache/tools, at these versions.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const bin = join(root, '.cache/tools')
const MODULES = {
  kustomize: 'sigs.k8s.io/kustomize/kustomize/v5@v5.8.1',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0',
}
const BUILD_MS = 600_000

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

/** promtool is of Prometheus: Debian's package, or its image. */
export const promtool = () => (runs('promtool', '--version') ? 'promtool' : undefined)

/** Schemas kept beside the checkout, for networks without the public ones. */
export const schemaLocations = () => {
  const kept = join(root, '../shared/kubernetes/schemas')
  if (existsSync(kept)) return [`${kept}/{{.ResourceKind}}{{.KindSuffix}}.json`]
  return [
    'default',
    'https://raw.githubusercontent.com/datreeio/CRDs-catalog/main/{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json',
  ]
}

export const MISSING = 'needs kubectl, kustomize or Go, kubeconform or Go, and promtool (Debian: prometheus)'
