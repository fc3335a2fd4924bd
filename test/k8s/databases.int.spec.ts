import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { SUBJECT_KEYS_SCHEMA, subjectKeyMigrations } from '#event-store'
import { migrate } from '#postgres'
import pg from 'pg'
import { parseAllDocuments } from 'yaml'
import { placePostgres } from '../../apps/bahi/postgres/placement.js'
import { removePostgres, startPostgres, type RunningPostgres } from '../../apps/bahi/postgres/server.js'
import { ASK_KEY_RIGHTS, KEY_RIGHTS } from '../support/key-rights.js'

interface Database {
  readonly kind: 'Database'
  readonly spec: { readonly name: string; readonly owner: string }
}
interface Cluster {
  readonly kind: 'Cluster'
  readonly spec: {
    readonly bootstrap: {
      readonly initdb: {
        readonly database: string
        readonly owner: string
        readonly postInitSQL: readonly string[]
        readonly postInitApplicationSQL: readonly string[]
      }
    }
    readonly postgresql: { readonly pg_hba: readonly string[] }
    readonly managed: { readonly roles: readonly { readonly name: string; readonly login: boolean }[] }
  }
}

const documents = parseAllDocuments(readFileSync(join(import.meta.dirname, '../../k8s/overlays/production/postgres.yaml'), 'utf8')).map(
  (each) => each.toJS() as Cluster | Database,
)
const { spec } = documents.find(({ kind }) => kind === 'Cluster') as Cluster
const databases = documents.flatMap((each) => (each.kind === 'Database' ? [each.spec] : []))

// A server of its own: roles are of the whole server, and these have the names that they have in production.
describe('the databases of k8s/overlays/production', () => {
  const home = mkdtempSync(join(tmpdir(), 'bahi-cluster-'))
  let placement: Awaited<ReturnType<typeof placePostgres>>
  let server: RunningPostgres
  const urlOf = (database: string, role?: string): string => {
    const url = new URL(server.url)
    url.pathname = `/${database}`
    if (role !== undefined) url.username = url.password = role
    return url.href
  }
  const run = async (url: string, ...statements: readonly string[]): Promise<readonly unknown[]> => {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, query_timeout: 10_000 })
    await client.connect()
    try {
      const answers = []
      for (const statement of statements) answers.push(...(await client.query({ text: statement, rowMode: 'array' })).rows.flat())
      return answers
    } finally {
      await client.end()
    }
  }

  beforeAll(async () => {
    placement = await placePostgres(home)
    server = await startPostgres(placement)
  }, 120_000)
  afterAll(async () => {
    await server?.stop()
    if (placement) await removePostgres(placement)
    rmSync(home, { recursive: true, force: true })
  }, 60_000)

  it('are made in CloudNativePG’s order with the roles that are there by then, and give each app of the keys what it needs', async () => {
    const { database, owner, postInitSQL, postInitApplicationSQL } = spec.bootstrap.initdb
    // Its ConfigureNewInstance. Managed roles come when the server runs: those that are there already are only given what they lack.
    await run(server.url, `CREATE ROLE ${owner} LOGIN`, ...postInitSQL, `CREATE DATABASE ${database} OWNER ${owner}`)
    await run(urlOf(database), ...postInitApplicationSQL)
    const there = new Set(await run(server.url, 'SELECT rolname::text FROM pg_roles'))
    for (const { name, login } of spec.managed.roles) {
      expect(login).toBe(true)
      await run(server.url, `${there.has(name) ? 'ALTER' : 'CREATE'} ROLE ${name} LOGIN PASSWORD '${name}'`)
    }

    // Of the job migrate-order-command.
    await migrate({ url: urlOf(database, owner), schema: SUBJECT_KEYS_SCHEMA, migrations: subjectKeyMigrations })
    for (const { name } of spec.managed.roles) {
      const allowed = KEY_RIGHTS[name]
      const answer = run(urlOf(database, name), ASK_KEY_RIGHTS)
      if (allowed) expect([name, await answer]).toEqual([name, [allowed.join(' ')]])
      else await expect(answer).rejects.toThrow('permission denied for database "keys"')
    }
    expect(spec.managed.roles.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(KEY_RIGHTS)))
  }, 60_000)

  it('let each role into its own and into the keys, and into no other app’s', async () => {
    const roles = spec.managed.roles.map(({ name }) => name)
    expect(databases.map(({ name }) => name).sort()).toEqual([...roles].sort())
    for (const { name, owner } of databases) await run(server.url, `CREATE DATABASE ${name} OWNER ${owner}`)
    const ways = async (): Promise<readonly string[]> => {
      const open = []
      for (const role of roles)
        for (const { name } of [...databases, { name: 'keys' }, { name: 'postgres' }])
          if (
            await run(urlOf(name, role), 'SELECT 1').then(
              () => true,
              () => false,
            )
          )
            open.push(`${role} -> ${name}`)
      return open.sort()
    }
    // What PostgreSQL does by itself.
    expect(await ways()).toContain('fraud -> wallet')

    // Where they stand in the file that CloudNativePG makes; here of a socket, which is neither a host nor TLS.
    const rules = spec.postgresql.pg_hba
    expect(rules.filter((rule) => !/^hostssl .* scram-sha-256$|^host .* reject$/.test(rule))).toEqual([])
    const file = String((await run(server.url, 'SHOW hba_file'))[0])
    const lines = [...rules, 'host all all all scram-sha-256'].map((rule) => rule.replace(/^host(?:ssl)? (\S+ \S+) all /, 'local $1 '))
    writeFileSync(file, `${lines.join('\n')}\n`)
    await run(server.url, 'SELECT pg_reload_conf()')
    expect(await run(server.url, 'SELECT error FROM pg_hba_file_rules WHERE error IS NOT NULL')).toEqual([])
    expect(await ways()).toEqual(
      [...roles.map((role) => `${role} -> ${role}`), ...Object.keys(KEY_RIGHTS).map((role) => `${role} -> keys`)].sort(),
    )
  }, 60_000)
})
