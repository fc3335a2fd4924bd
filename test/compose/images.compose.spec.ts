import { describe, expect, it } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { containersOf, docker, exec } from './containers.js'

const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud', 'front', 'provider-sandbox']
const read = (path: string): string => readFileSync(join(import.meta.dirname, '../..', path), 'utf8')
const BASE = /^ARG NODE_IMAGE=(\S+)$/m.exec(read('Dockerfile'))?.[1] ?? ''
const MOST_BYTES = 120_000_000

interface Locked {
  readonly name?: string
  readonly version?: string
  readonly dev?: boolean
  readonly devOptional?: boolean
}
/** `name@version` of what the lock file has for running, and not for development alone. */
const PRODUCTION = new Set(
  Object.entries((JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, Locked>> }).packages)
    .filter(([, { dev, devOptional }]) => !dev && !devOptional)
    .map(([path, { name = path.replace(/^.*node_modules\//, ''), version }]) => `${name}@${version}`),
)

interface Image {
  readonly Size: number
  readonly RootFS: { readonly Layers: readonly string[] }
  readonly Config: {
    readonly User: string
    readonly StopSignal: string
    readonly Entrypoint: readonly string[]
    readonly Healthcheck: { readonly Test: readonly string[] }
  }
}
const inspect = async (image: string): Promise<Image> => (JSON.parse(await docker('image', 'inspect', image)) as [Image])[0]

const theContainer = async (app: string): Promise<string> => {
  const [id] = await containersOf(app)
  if (id === undefined) throw new Error(`${app} does not run`)
  return id
}
/** What a few lines of JavaScript print inside the app's container. */
const inside = async (app: string, script: string): Promise<string> => exec(await theContainer(app), 'node', '--eval', script)

describe.each(APPS)('the image of %s', (app) => {
  it('is little more than Node’s own, and needs no shell and no root', async () => {
    const [base, image] = await Promise.all([inspect(BASE), inspect(`bahi/${app}:local`)])
    expect(image.RootFS.Layers.slice(0, base.RootFS.Layers.length)).toEqual(base.RootFS.Layers)
    expect(image.Size - base.Size).toBeLessThan(MOST_BYTES)
    console.log(`${app}: ${((image.Size - base.Size) / 1e6).toFixed(1)} MB over ${BASE}`)
    expect(image.Config).toMatchObject({ User: 'node', StopSignal: 'SIGTERM', Entrypoint: ['node', 'main.mjs'] })
    expect(image.Config.Healthcheck.Test[0]).toBe('CMD')
  })

  it('runs as an ordinary user that can write nowhere', async () => {
    const tried = await inside(
      app,
      `const { writeFileSync } = require('node:fs')
       const codes = ['/app/x', '/tmp/x', '/home/node/x'].map((path) => { try { writeFileSync(path, 'x'); return 'written' } catch (e) { return e.code } })
       console.log(process.getuid(), ...codes)`,
    )
    expect(tried).toBe('1000 EROFS EROFS EROFS')
  })

  it('has a bill of materials of exactly the packages that are in it, none of them for development alone', async () => {
    const { listed, there } = JSON.parse(
      await inside(
        app,
        `const { readFileSync, globSync } = require('node:fs')
         const read = (file) => JSON.parse(readFileSync(file, 'utf8'))
         const listed = read('sbom.cdx.json').components
         const there = globSync('node_modules/**/package.json')
           .filter((file) => /(^|\\/)node_modules\\/(@[^/]+\\/)?[^/]+\\/package.json$/.test(file)).map(read)
         const names = (packages) => [...new Set(packages.map(({ name, version }) => name + '@' + version))].sort()
         console.log(JSON.stringify({ listed: names(listed), there: names(there) }))`,
      ),
    ) as { listed: readonly string[]; there: readonly string[] }
    expect(there.length).toBeGreaterThan(50)
    expect(listed).toEqual(there)
    expect(there.filter((each) => !PRODUCTION.has(each))).toEqual([])
  })
})
