import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeObject } from './objects.js'
import { kustomize } from './tools.mjs'

const root = join(import.meta.dirname, '../..')

export interface Rendered {
  readonly yaml: string
  readonly objects: readonly KubeObject[]
}

/**
 * An overlay as it would be applied, with passwords made for it in a copy: none is in the repository. With a kustomization it is one that only the
 * copy has, beside the others.
 */
export const render = (overlay: string, kustomization?: string): Rendered => {
  const [command, ...args] = kustomize() ?? []
  if (command === undefined) throw new Error('kustomize is missing')
  const copy = mkdtempSync(join(tmpdir(), 'bahi-k8s-'))
  try {
    for (const each of ['k8s', 'deploy']) cpSync(join(root, each), join(copy, each), { recursive: true })
    const folder = join(copy, 'k8s/overlays', overlay)
    if (kustomization !== undefined) {
      mkdirSync(folder)
      writeFileSync(join(folder, 'kustomization.yaml'), kustomization)
    }
    execFileSync('sh', [join(copy, 'k8s/overlays/local/make-secrets.sh')], { timeout: 20_000 })
    const yaml = execFileSync(command, [...args, folder], { encoding: 'utf8', timeout: 60_000 })
    return { yaml, objects: parseAllDocuments(yaml).map((document) => document.toJS() as KubeObject) }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}
