import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { clientConfig, createPool, listen, migrate, UncheckedTls } from './index.js'
import { createTestDatabase, type TestDatabase } from './testing/index.js'

const folder = mkdtempSync(join(tmpdir(), 'bahi-tls-'))
const file = (name: string) => join(folder, name)
const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe', timeout: 20_000 })

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

const authority = (name: string) => {
  openssl('req', '-x509', ...KEY, '-days', '1', '-keyout', `${name}-ca.key`, '-out', `${name}-ca.pem`, '-subj', `/CN=${name}`)
}

/** A certificate of 127.0.0.1 by that authority. */
const certify = (name: string, by: string) => {
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  openssl('req', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, ...subject)
  const signed = ['-CA', `${by}-ca.pem`, '-CAkey', `${by}-ca.key`, '-days', '1', '-copy_extensions', 'copy']
  openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.pem`)
}

/**
 * The test run's PostgreSQL behind TLS, as its own protocol begins it: eight bytes ask for it, `S` grants it. `clients` says what a client's
 * certificate is to be, if it must have one.
 */
const secured = async (databaseUrl: string, clients: TlsOptions = {}): Promise<Server> => {
  const { hostname, port } = new URL(databaseUrl)
  const [key, cert] = [readFileSync(file('server.key')), readFileSync(file('server.pem'))]
  const gate = createTlsServer({ key, cert, ...clients }, (secure) => {
    const far = connect(Number(port), hostname)
    for (const socket of [secure, far]) socket.on('error', () => (secure.destroy(), far.destroy()))
    secure.on('close', () => far.destroy())
    secure.pipe(far).pipe(secure)
  })
  const server = createServer((near: Socket) => {
    near.on('error', () => undefined)
    near.once('data', () => {
      near.write('S')
      gate.emit('connection', near)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

describe('PostgreSQL by TLS', () => {
  let database: TestDatabase
  let server: Server
  /** Lets nobody in without a certificate by `ours`. */
  let strict: Server
  beforeAll(async () => {
    for (const name of ['ours', 'theirs']) authority(name)
    certify('server', 'ours')
    certify('app', 'ours')
    certify('stranger', 'theirs')
    database = await createTestDatabase([])
    server = await secured(database.url)
    strict = await secured(database.url, { requestCert: true, rejectUnauthorized: true, ca: readFileSync(file('ours-ca.pem')) })
  })
  afterAll(async () => {
    for (const each of [server, strict]) each.close()
    await database.drop()
    rmSync(folder, { recursive: true })
  })

  const url = (host: string, trusted: string, words: Readonly<Record<string, string>> = {}, at = server) => {
    const secure = new URL(database.url)
    secure.hostname = host
    secure.port = String((at.address() as AddressInfo).port)
    secure.search = new URLSearchParams({ sslmode: 'verify-full', sslrootcert: file(`${trusted}-ca.pem`), ...words }).toString()
    return secure.href
  }
  const ask = async (of: string) => {
    const pool = createPool({ ...database, url: of, maxConnections: 1 })
    try {
      return (await pool.query<{ one: number }>('SELECT 1 AS one')).rows[0]?.one
    } finally {
      await pool.end()
    }
  }

  it('is used by pools and migrations where the URL says so', async () => {
    expect(await ask(url('127.0.0.1', 'ours'))).toBe(1)
    expect(await migrate({ url: url('127.0.0.1', 'ours'), schema: 'secured', migrations: [] })).toEqual([])
  })

  it('is refused where the environment or the URL would turn its check off, by every way to connect', async () => {
    const plain = new URL(database.url)
    const unchecked = [
      `${plain.href}?sslmode=no-verify`,
      `${plain.href}?sslmode=verify-full&sslmode=no-verify`,
      `${plain.href}?sslmode=verify-full&ssl=no-verify`,
      'postgres://nobody:hunter2@/none?sslmode=require',
    ]
    const ways = (of: string) => [
      () => Promise.resolve(createPool({ ...database, url: of })),
      () => migrate({ url: of, schema: 'secured', migrations: [] }),
      () => listen({ ...database, url: of }, 'x', () => undefined),
      () => Promise.resolve(clientConfig({ ...database, url: of })),
    ]
    const refused = async (way: () => Promise<unknown>) => (async () => way())().catch((error: unknown) => error)
    for (const each of unchecked)
      for (const way of ways(each)) {
        const error = await refused(way)
        expect(error).toBeInstanceOf(UncheckedTls)
        expect(String(error)).not.toContain('hunter2')
      }
    try {
      process.env['PGSSLMODE'] = 'no-verify'
      for (const way of ways(plain.href)) expect(await refused(way)).toBeInstanceOf(UncheckedTls)
      // What the URL says goes before the environment: this certificate is checked, and not trusted.
      await expect(ask(url('127.0.0.1', 'theirs'))).rejects.toThrow(/certificate|self-signed/)
      expect(await ask(`${plain.href}?sslmode=disable`)).toBe(1)
      process.env['PGSSLMODE'] = 'disable'
      expect(await ask(plain.href)).toBe(1)
      delete process.env['PGSSLMODE']
      process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
      for (const way of ways(url('127.0.0.1', 'ours'))) expect(await refused(way)).toBeInstanceOf(UncheckedTls)
      expect(await ask(plain.href)).toBe(1)
    } finally {
      delete process.env['PGSSLMODE']
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    }
  })

  it('is decided in one place: no product code gives pg a URL that was not checked', () => {
    const sources = ['apps', 'libs'].flatMap((root) =>
      readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts') && !/spec\.ts$|testing\//.test(name))
        .map((name) => join(root, name)),
    )
    const connecting = sources.filter((name) => /new pg\.(Client|Pool)\(|new DataSource\(\{/.test(readFileSync(name, 'utf8')))
    expect(connecting.length).toBeGreaterThan(4)
    const checked = connecting.filter((name) => /checkedConnection|clientConfig\(/.test(readFileSync(name, 'utf8')))
    expect(checked).toEqual(connecting)
    expect(sources.filter((name) => /connectionString: /.test(readFileSync(name, 'utf8')))).toEqual([join('libs', 'postgres', 'tls.ts')])
  })

  it('that asks who an app is lets pools and migrations in by their certificate, and nobody without one or with a stranger’s', async () => {
    const as = (client: string) => url('127.0.0.1', 'ours', { sslcert: file(`${client}.pem`), sslkey: file(`${client}.key`) }, strict)
    expect(await ask(as('app'))).toBe(1)
    expect(await migrate({ url: as('app'), schema: 'known', migrations: [] })).toEqual([])
    for (const unknown of [url('127.0.0.1', 'ours', {}, strict), as('stranger')]) {
      await expect(ask(unknown)).rejects.toThrow(/certificate required|ECONNRESET|terminated/)
      await expect(migrate({ url: unknown, schema: 'known', migrations: [] })).rejects.toThrow(/certificate required|ECONNRESET|terminated/)
    }
  })

  it('is refused by pools and migrations where the certificate is of another authority, or of another host', async () => {
    await expect(ask(url('127.0.0.1', 'theirs'))).rejects.toThrow(/certificate|self-signed/)
    await expect(migrate({ url: url('127.0.0.1', 'theirs'), schema: 'secured', migrations: [] })).rejects.toThrow(/certificate|self-signed/)
    await expect(ask(url('localhost', 'ours'))).rejects.toThrow(/altnames|Hostname/)
  })
})
