import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startIssuer, type Issuer } from '../distributed/issuer.js'
import { run, startProcess, type AppProcess } from '../distributed/processes.js'
import setUpPostgres from '../support/postgres.setup.mjs'
import tearDownPostgres from '../support/postgres.teardown.mjs'

/** Two processes of the wallet's app, as they are deployed, on one database of their own. */
let issuer: Issuer
let environment: Readonly<Record<string, string>>
let replicas: readonly AppProcess[] = []
const tokenOf: Issuer['tokenOf'] = (...who) => issuer.tokenOf(...who)

beforeAll(async () => {
  await setUpPostgres()
  const url = String(process.env['BAHI_TEST_POSTGRES_URL'])
  issuer = await startIssuer()
  environment = {
    DATABASE_URL: url,
    KEYS_DATABASE_URL: url,
    LOG: 'postgres',
    ...issuer.environment,
    MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
    FRAUD_HASH_KEY: 'k'.repeat(32),
    REGION: 'in-test',
    RATE_LIMIT_PER_SECOND: '100000',
    RATE_LIMIT_BURST: '100000',
    HOLD_EXPIRY_POLL_MS: '50',
    LOG_LEVEL: 'warn',
  }
  const migrated = await run('wallet', ['migrate'], environment)
  if (migrated.code !== 0) throw new Error(`the database was not migrated:\n${migrated.output.join('\n')}`)
  replicas = await Promise.all([startProcess('wallet', environment), startProcess('wallet', environment)])
}, 300_000)

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()))
  issuer?.close()
  await tearDownPostgres()
})

interface Answer {
  readonly status: number
  readonly body: unknown
  readonly at: (path: string) => string
}

const statuses: number[] = []
const call = async (
  via: number,
  method: string,
  path: string,
  token: string,
  body?: unknown,
  key: string = randomUUID(),
): Promise<Answer> => {
  const response = await fetch(`${replicas[via % replicas.length]?.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(method === 'GET' ? {} : { 'idempotency-key': key }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(60_000),
  })
  statuses.push(response.status)
  const json: unknown = await response.json()
  const at = (name: string) =>
    String(
      name
        .split('.')
        .reduce<unknown>((value, part) => (typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined), json),
    )
  return { status: response.status, body: json, at }
}
const inr = (paise: number) => ({ amount: String(paise), currency: 'INR' })

const openWallet = async (admin: string, ownerId: string, paise: number, kyc = 'full'): Promise<string> => {
  const opened = await call(0, 'POST', '/v1/wallets', admin, { ownerId, kyc })
  const id = opened.at('walletId')
  if (paise > 0) await call(1, 'POST', `/v1/wallets/${id}/credits`, admin, { amount: inr(paise), reference: 'first' })
  return id
}

const CLIENTS = 64

describe('two processes of the wallet', () => {
  it('serve 64 clients on one wallet: to the paisa, nothing lost, nothing twice, no 5xx', async () => {
    const [admin, hot, cold] = await Promise.all([tokenOf('ops', 'admin'), tokenOf('hot', 'customer'), tokenOf('cold', 'customer')])
    const [wallet, other] = [await openWallet(admin, 'hot', 5_000_000), await openWallet(admin, 'cold', 5_000_000)]
    // Registered, so that no limit of the month stands in the way; those of the day and of the first hours do, and may.
    await call(0, 'PUT', `/v1/wallets/${wallet}/beneficiaries/${other}`, hot)
    await call(0, 'PUT', `/v1/wallets/${other}/beneficiaries/${wallet}`, cold)
    let [expected, events, elsewhere] = [5_000_000, 3, 5_000_000]
    const base = `/v1/wallets/${wallet}`
    const entry = (paise: number) => ({ amount: inr(paise), reference: 'e2e' })
    const transfer = (fromWalletId: string, toWalletId: string, paise: number) => ({ ...entry(paise), fromWalletId, toWalletId })
    /** Counts what was answered, not what was asked. */
    const took = (answer: Answer, change: number): boolean => {
      if (answer.status >= 300) return false
      expected += change
      events++
      return true
    }
    const client = async (at: number): Promise<void> => {
      for (let turn = 0; turn < 6; turn++) {
        const via = at + turn
        const paise = 1 + ((at * 7 + turn) % 50)
        switch ((at + turn) % 5) {
          case 0:
            took(await call(via, 'POST', `${base}/debits`, admin, entry(paise)), -paise)
            break
          case 1:
            took(await call(via, 'POST', `${base}/credits`, admin, entry(paise)), paise)
            break
          case 2: {
            const expiresAt = at % 3 === 0 ? { expiresAt: new Date(Date.now() + 3_600_000).toISOString() } : {}
            const held = await call(via, 'POST', `${base}/holds`, hot, { ...entry(paise + 10), ...expiresAt })
            if (!took(held, 0)) break
            const path = `${base}/holds/${held.at('holdId')}`
            if (at % 2 === 0) took(await call(via + 1, 'POST', `${path}/capture`, hot, { amount: inr(paise) }), -paise)
            else took(await call(via + 1, 'POST', `${path}/release`, hot, {}), 0)
            break
          }
          case 3: {
            // Sent twice at once, to both: one effect, one answer.
            const key = randomUUID()
            const both = await Promise.all([0, 1].map((each) => call(each, 'POST', `${base}/debits`, admin, entry(paise), key)))
            expect(both[0]?.body).toEqual(both[1]?.body)
            if (both[0]) took(both[0], -paise)
            break
          }
          default: {
            const out = turn % 2 === 0
            const sent = await call(
              via,
              'POST',
              '/v1/transfers',
              out ? hot : cold,
              out ? transfer(wallet, other, paise) : transfer(other, wallet, paise),
            )
            if (took(sent, out ? -paise : paise)) elsewhere += out ? paise : -paise
          }
        }
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, (_, at) => client(at)))
    expect(statuses.filter((status) => status >= 500)).toEqual([])
    for (const via of [0, 1]) {
      const read = await call(via, 'GET', base, admin)
      expect([read.at('balance.amount'), read.at('held.amount'), read.at('version')]).toEqual([String(expected), '0', String(events)])
      expect((await call(via, 'GET', `/v1/wallets/${other}`, admin)).at('balance.amount')).toBe(String(elsewhere))
      expect((await call(via, 'GET', `${base}/verify`, admin)).body).toMatchObject({ ok: true, version: events, faults: [] })
    }
    const trial = await call(0, 'GET', '/v1/wallets/trial-balance', admin)
    expect(trial.at('total.amount')).toBe('0')
  }, 300_000)

  it('let no race past a limit: of a month, of a day, of the first 24 hours, of strangers', async () => {
    const admin = await tokenOf('ops', 'admin')
    const small = await openWallet(admin, 'limit-small', 0, 'small')
    // 10,000.00 a month: 33 loads of 300.00 fit, 34 do not, whoever is first.
    const loads = await Promise.all(
      Array.from({ length: CLIENTS }, (_, at) =>
        call(at, 'POST', `/v1/wallets/${small}/credits`, admin, { amount: inr(30_000), reference: 'load' }),
      ),
    )
    expect(loads.filter(({ status }) => status === 201)).toHaveLength(33)
    expect(new Set(loads.filter(({ status }) => status !== 201).map((answer) => answer.at('type')))).toEqual(
      new Set(['/problems/kyc-limit-exceeded']),
    )
    expect((await call(0, 'GET', `/v1/wallets/${small}`, admin)).at('balance.amount')).toBe('990000')

    const sendMany = async (owner: string, paise: number, registered: boolean): Promise<readonly Answer[]> => {
      const token = await tokenOf(owner, 'customer')
      const [from, to] = [await openWallet(admin, owner, 10_000_000), await openWallet(admin, `${owner}-to`, 0)]
      if (registered) await call(0, 'PUT', `/v1/wallets/${from}/beneficiaries/${to}`, token)
      const body = { fromWalletId: from, toWalletId: to, amount: inr(paise), reference: 'r' }
      const answers = await Promise.all(Array.from({ length: CLIENTS }, (_, at) => call(at, 'POST', '/v1/transfers', token, body)))
      const accepted = answers.filter(({ status }) => status === 201).length
      expect((await call(1, 'GET', `/v1/wallets/${to}`, admin)).at('balance.amount')).toBe(String(accepted * paise))
      return answers
    }
    const accepted = (answers: readonly Answer[]) => answers.filter(({ status }) => status === 201).length
    expect(accepted(await sendMany('limit-day', 100, true))).toBe(20)
    // 5,000.00 in a wallet's first 24 hours, to whomever.
    expect(accepted(await sendMany('limit-fresh', 60_000, true))).toBe(8)
    const refused = await sendMany('limit-stranger', 60_000, false)
    expect(accepted(refused)).toBe(8)
    expect(new Set(refused.filter(({ status }) => status !== 201).map((answer) => answer.at('type')))).toEqual(
      new Set(['/problems/limit-exceeded']),
    )
    expect(statuses.filter((status) => status >= 500)).toEqual([])
  }, 300_000)

  it('are signed and archived beside them by the app’s own command line, and the tools verify what it wrote', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bahi-heads-'))
    try {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519')
      const pem = join(folder, 'public.pem')
      writeFileSync(pem, publicKey.export({ type: 'spki', format: 'pem' }))
      const key = { CHECKPOINT_KEY: privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64') }
      expect(await run('wallet', ['checkpoint', '--folder', folder], environment)).toMatchObject({
        code: 1,
        output: ['CHECKPOINT_KEY: must be set'],
      })
      const signed = await run('wallet', ['checkpoint', '--folder', folder], { ...environment, ...key })
      expect([signed.code, signed.output]).toEqual([0, [expect.stringMatching(/^wallet: .*[0-9]+ heads up to position [0-9]+, root /)]])
      const file = readdirSync(folder).find((name) => name.endsWith('.heads')) ?? ''
      const cli = join(import.meta.dirname, '../../dist/apps/bahi/cli/main.js')
      const words = [
        'events',
        'verify',
        '--url',
        environment['DATABASE_URL'] ?? '',
        '--checkpoint',
        join(folder, file),
        '--public-key',
        pem,
      ]
      const verified = spawnSync(process.execPath, [cli, ...words], { encoding: 'utf8', timeout: 60_000 })
      expect([verified.status, verified.stdout]).toEqual([0, expect.stringMatching(/^ok: [0-9]+ streams, [^]*could not be told\n$/)])
      expect(await run('wallet', ['archive'], environment)).toMatchObject({
        code: 0,
        output: ['wallet: nothing more is full, published, and without an append for 90 days'],
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  }, 300_000)

  it('release a hold whose maker’s process is gone', async () => {
    const [admin, token] = await Promise.all([tokenOf('ops', 'admin'), tokenOf('gone', 'customer')])
    const wallet = await openWallet(admin, 'gone', 10_000)
    const expiresAt = new Date(Date.now() + 5_000).toISOString()
    const held = await call(0, 'POST', `/v1/wallets/${wallet}/holds`, token, { amount: inr(5_000), reference: 'r', expiresAt })
    expect(held.status).toBe(201)
    await replicas[0]?.kill()
    const deadline = Date.now() + 60_000
    for (;;) {
      const read = await call(1, 'GET', `/v1/wallets/${wallet}`, token)
      if (read.at('held.amount') === '0') break
      if (Date.now() > deadline) throw new Error('the hold was not released')
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    expect((await call(1, 'GET', `/v1/wallets/${wallet}/holds/${held.at('holdId')}`, token)).at('status')).toBe('RELEASED')
  })
})
