import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '#kernel/testing'
import { createPool } from '#postgres'
import { inr, startTestWallet, type Call, type TestWallet } from '../testing/test-app.js'

let test: TestWallet
beforeAll(async () => {
  test = await startTestWallet()
})
afterAll(() => test?.close())

const call = (...args: Parameters<TestWallet['call']>) => test.call(...args)
const problem = async (...args: Parameters<TestWallet['call']>) => {
  const answer = await call(...args)
  return [answer.status, answer.at('type')]
}
const NOBODY = '0190a000-0000-7000-8000-00000000dead'

describe('opening', () => {
  it('opens one wallet an owner, and answers with where it is', async () => {
    const opened = await call('POST', '/v1/wallets', { as: ['open-1', 'customer'], body: { ownerId: 'open-1', kyc: 'small' } })
    expect(opened.status).toBe(201)
    const id = String(opened.at('walletId'))
    expect(opened.headers).toMatchObject({ location: `/v1/wallets/${id}`, etag: '"1"' })
    expect(opened.headers['consistency-token']).toEqual(expect.any(String))
    const expected = {
      walletId: id,
      ownerId: 'open-1',
      kyc: 'small',
      balance: inr(0),
      held: inr(0),
      available: inr(0),
      status: 'OPEN',
      version: 1,
    }
    expect(JSON.parse(opened.text)).toEqual(expected)
    for (const path of [`/v1/wallets/${id}`, '/v1/wallets?ownerId=open-1']) {
      const read = await call('GET', path, { as: ['open-1', 'customer'] })
      expect([read.status, read.headers['etag'], JSON.parse(read.text)]).toEqual([200, '"1"', expected])
    }
    const again = await call('POST', '/v1/wallets', { as: ['open-1', 'customer'], body: { ownerId: 'open-1', kyc: 'small' } })
    expect([again.status, again.at('type')]).toEqual([409, '/problems/wallet-exists'])
  })

  it('opens one of many at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => call('POST', '/v1/wallets', { body: { ownerId: 'race', kyc: 'full' } })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(409)])
  })

  it('lets a customer open only a small one, for themselves', async () => {
    const as: Call['as'] = ['open-2', 'customer']
    expect(await problem('POST', '/v1/wallets', { as, body: { ownerId: 'open-2', kyc: 'full' } })).toEqual([403, '/problems/forbidden'])
    expect(await problem('POST', '/v1/wallets', { as, body: { ownerId: 'other', kyc: 'small' } })).toEqual([403, '/problems/forbidden'])
  })
})

describe('who sees and moves what', () => {
  it("answers 404 for another's wallet, one that is not there, and what is no id", async () => {
    const id = await test.wallet('own-1', 100)
    const as: Call['as'] = ['stranger', 'customer']
    for (const path of [`/v1/wallets/${id}`, `/v1/wallets/${NOBODY}`, '/v1/wallets/nonsense', '/v1/wallets?ownerId=own-1']) {
      expect([path, (await call('GET', path, { as })).status]).toEqual([path, 404])
    }
    const body = { amount: inr(1), reference: 'r' }
    expect((await call('POST', `/v1/wallets/${id}/holds`, { as, body })).status).toBe(404)
    expect((await call('POST', '/v1/transfers', { as, body: { ...body, fromWalletId: id, toWalletId: NOBODY } })).status).toBe(404)
    expect((await call('PUT', `/v1/wallets/${id}/beneficiaries/${NOBODY}`, { as })).status).toBe(404)
    expect((await call('POST', `/v1/wallets/${NOBODY}/credits`, { body })).status).toBe(404)
    // Being staff and a customer does not make another's wallet one's own.
    expect((await call('POST', `/v1/wallets/${id}/holds`, { as: ['s', 'customer', 'support'], body })).status).toBe(404)
  })

  it('lets in the roles of the contract', async () => {
    const id = await test.wallet('own-2', 100)
    const body = { amount: inr(1), reference: 'r' }
    const status = async (as: NonNullable<Call['as']>, method: 'GET' | 'POST', path: string, payload?: unknown) =>
      (await call(method, `/v1/wallets/${id}${path}`, { as, ...(payload === undefined ? {} : { body: payload }) })).status
    const owner = ['own-2', 'customer'] as const
    expect(await status(owner, 'POST', '/credits', body)).toBe(403)
    expect(await status(owner, 'POST', '/debits', body)).toBe(403)
    expect(await status(owner, 'POST', '/freeze', { reason: 'x' })).toBe(403)
    expect(await status(owner, 'GET', '/events')).toBe(403)
    expect(await status(owner, 'GET', '/verify')).toBe(403)
    expect(await status(owner, 'GET', '/statement')).toBe(200)
    expect(await status(['svc', 'service'], 'POST', '/credits', body)).toBe(201)
    expect(await status(['svc', 'service'], 'GET', '')).toBe(403)
    expect(await status(['aud', 'auditor'], 'GET', '/verify')).toBe(200)
    expect(await status(['sup', 'support'], 'GET', '/events')).toBe(403)
    expect(await status(['sup', 'support'], 'POST', '/holds', body)).toBe(403)
    expect(await status(['m', 'merchant'], 'GET', '')).toBe(403)
  })
})

describe('money', () => {
  it('credits and debits with the wallet after it, and refuses what is not there', async () => {
    const id = await test.wallet('money-1', 0)
    const credited = await call('POST', `/v1/wallets/${id}/credits`, { body: { amount: inr(100), reference: 'salary' } })
    expect([credited.status, credited.at('wallet.balance'), credited.headers['etag']]).toEqual([201, inr(100), '"2"'])
    expect(credited.at('entryId')).toEqual(expect.any(String))
    const debited = await call('POST', `/v1/wallets/${id}/debits`, { body: { amount: inr(30), reference: 'fee' } })
    expect([debited.status, debited.at('wallet.available')]).toEqual([201, inr(70)])
    expect(await problem('POST', `/v1/wallets/${id}/debits`, { body: { amount: inr(70.01), reference: 'fee' } })).toEqual([
      422,
      '/problems/insufficient-funds',
    ])
    expect(await problem('POST', `/v1/wallets/${id}/credits`, { body: { amount: inr(2_00_000), reference: 'x' } })).toEqual([
      422,
      '/problems/kyc-limit-exceeded',
    ])
  })

  it('answers each 201 with where it is', async () => {
    const [id, to] = [await test.wallet('where-1', 100), await test.wallet('where-2', 0)]
    const as = ['where-1', 'customer'] as const
    const body = { amount: inr(1), reference: 'r' }
    const answers = [
      await call('POST', `/v1/wallets/${id}/credits`, { body }),
      await call('POST', `/v1/wallets/${id}/debits`, { body }),
      await call('POST', '/v1/transfers', { as, body: { ...body, fromWalletId: id, toWalletId: to } }),
    ]
    const entries = await Promise.all(answers.map(({ headers }) => call('GET', String(headers['location']), { as })))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
    expect(entries.map((entry) => [entry.status, entry.at('type'), entry.at('entryId')])).toEqual([
      [200, 'credit', answers[0]?.at('entryId')],
      [200, 'debit', answers[1]?.at('entryId')],
      [200, 'transfer-out', answers[2]?.at('transferId')],
    ])
    expect((await call('GET', String(answers[0]?.headers['location']), { as: ['other', 'customer'] })).status).toBe(404)
  })

  it('answers a repeat byte for byte, and another body under the same key with 422', async () => {
    const id = await test.wallet('money-2', 0)
    const send = (rupees: number) =>
      call('POST', `/v1/wallets/${id}/credits`, { key: 'once', body: { amount: inr(rupees), reference: 'r' } })
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(5)))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true').length).toBe(9)
    const other = await send(6)
    expect([other.status, other.at('type')]).toEqual([422, '/problems/idempotency-key-reused'])
    expect((await call('GET', `/v1/wallets/${id}`)).at('balance')).toEqual(inr(5))
    const missing = await call('POST', `/v1/wallets/${id}/credits`, { key: null, body: { amount: inr(1), reference: 'r' } })
    expect(missing.status).toBe(400)
  })

  it('names each wrong field', async () => {
    const id = await test.wallet('money-3', 0)
    const amounts = [
      null,
      5,
      '5',
      {},
      { amount: 5, currency: 'INR' },
      { amount: '-5', currency: 'INR' },
      { amount: '1.5', currency: 'INR' },
    ]
    for (const amount of [
      ...amounts,
      { amount: '0', currency: 'INR' },
      { amount: '5', currency: 'USD' },
      { amount: '5', currency: 'INR', x: 1 },
    ]) {
      const answer = await call('POST', `/v1/wallets/${id}/credits`, { body: { amount, reference: 'r' } })
      expect([amount, answer.status, String(answer.at('errors.0.pointer')).startsWith('/amount')]).toEqual([amount, 400, true])
    }
    const more: readonly [string, unknown, string][] = [
      ['/credits', { amount: inr(1), reference: '' }, '/reference'],
      ['/credits', { amount: inr(1), reference: 'x'.repeat(129) }, '/reference'],
      ['/credits', { amount: inr(1), reference: 'r', balance: 1 }, '/balance'],
      ['/holds', { amount: inr(1), reference: 'r', expiresAt: 'soon' }, '/expiresAt'],
      ['/holds', { amount: inr(1), reference: 'r', expiresAt: '2020-01-01T00:00:00Z' }, '/expiresAt'],
      ['/freeze', {}, '/reason'],
      ['/kyc', { kyc: 'big', reason: 'r' }, '/kyc'],
    ]
    for (const [path, body, pointer] of more) {
      const answer = await call('POST', `/v1/wallets/${id}${path}`, { body })
      expect([path, body, answer.status, answer.at('errors.0.pointer')]).toEqual([path, body, 400, pointer])
    }
  })

  it('changes only the version that If-Match names', async () => {
    const id = await test.wallet('money-4', 10)
    const send = (version: string) =>
      call('POST', `/v1/wallets/${id}/debits`, { headers: { 'if-match': version }, body: { amount: inr(1), reference: 'r' } })
    expect([(await send('"1"')).status, (await send('"2"')).status, (await send('"2"')).status]).toEqual([412, 201, 412])
  })

  it('is exact under 64 debits at once, on two processes', async () => {
    const id = await test.wallet('hot', 50)
    const other = await test.second()
    const debit = (at: number) =>
      (at % 2 === 0 ? test : other).call('POST', `/v1/wallets/${id}/debits`, { key: `hot-${at}`, body: { amount: inr(1), reference: 'r' } })
    const answers = await Promise.all(Array.from({ length: 64 }, (_, at) => debit(at)))
    const count = (status: number) => answers.filter((answer) => answer.status === status).length
    expect([count(201), count(422)]).toEqual([50, 14])
    const read = await call('GET', `/v1/wallets/${id}`)
    expect([read.at('balance'), read.at('version')]).toEqual([inr(0), 52])
    expect((await call('GET', `/v1/wallets/${id}/verify`)).at('ok')).toBe(true)
  })
})

describe('holds', () => {
  const owner = ['hold-1', 'customer'] as const
  let id: string
  beforeAll(async () => {
    id = await test.wallet('hold-1', 100)
  })
  const hold = async (rupees: number, as: NonNullable<Call['as']> = owner, more: object = {}) =>
    call('POST', `/v1/wallets/${id}/holds`, { as, body: { amount: inr(rupees), reference: 'o-1', ...more } })
  const end = (holdId: unknown, how: 'capture' | 'release', as: NonNullable<Call['as']> = owner, body?: object) =>
    call('POST', `/v1/wallets/${id}/holds/${String(holdId)}/${how}`, { as, ...(body && { body }) })

  it('holds, captures in part, and gives back the rest', async () => {
    const held = await hold(40)
    expect([held.status, held.at('status'), held.at('amount'), held.at('expiresAt')]).toEqual([201, 'OPEN', inr(40), null])
    expect((await call('GET', `/v1/wallets/${id}`)).at('available')).toEqual(inr(60))
    expect(await problem('POST', `/v1/wallets/${id}/debits`, { body: { amount: inr(61), reference: 'r' } })).toEqual([
      422,
      '/problems/insufficient-funds',
    ])
    const captured = await end(held.at('holdId'), 'capture', owner, { amount: inr(15) })
    expect([captured.status, captured.at('status'), captured.at('captured'), captured.at('released')]).toEqual([
      200,
      'CAPTURED',
      inr(15),
      inr(25),
    ])
    const again = await end(held.at('holdId'), 'capture')
    expect([again.status, again.at('type')]).toEqual([422, '/problems/hold-not-open'])
    expect((await call('GET', `/v1/wallets/${id}`)).at('available')).toEqual(inr(85))
  })

  it('releases, for whoever made it and admin only', async () => {
    const made = await hold(10, ['svc', 'service'])
    expect((await end(made.at('holdId'), 'release')).status).toBe(403)
    expect((await end(made.at('holdId'), 'release', ['svc-2', 'service'])).status).toBe(403)
    const released = await end(made.at('holdId'), 'release', ['svc', 'service'])
    expect([released.status, released.at('status')]).toEqual([200, 'RELEASED'])
    const second = await hold(10, ['svc', 'service'])
    expect((await end(second.at('holdId'), 'capture', ['ops', 'admin'], {})).status).toBe(200)
    expect((await end(NOBODY, 'release')).status).toBe(404)
  })

  it('that is not there is 404 before its body, its key or its version is looked at', async () => {
    for (const how of ['capture', 'release']) {
      const path = `/v1/wallets/${id}/holds/${NOBODY}/${how}`
      expect((await call('POST', path, { as: owner, headers: { 'if-match': '"1"' } })).status).toBe(404)
      expect((await call('POST', path, { as: owner, key: null, body: { nonsense: true } })).status).toBe(404)
    }
    const { headers } = await hold(1)
    const path = String(headers['location'])
    expect((await call('POST', `${path}/release`, { as: owner, headers: { 'if-match': '"1"' } })).status).toBe(412)
    // Somebody else's wallet has no such hold, whoever made it.
    expect((await call('POST', `${path}/release`, { as: ['other', 'customer'] })).status).toBe(404)
    await call('POST', `${path}/release`, { as: owner })
  })

  it('is found where its answer says, open and ended, however long ago', async () => {
    const as = ['hold-2', 'customer'] as const
    const wallet = await test.wallet('hold-2', 100)
    const post = (path: string, body: object) => call('POST', path, { as, body })
    const make = (rupees: number) => post(`/v1/wallets/${wallet}/holds`, { amount: inr(rupees), reference: 'o-2' })
    const places: string[] = []
    for (const [how, body] of [
      ['capture', { amount: inr(2) }],
      ['release', {}],
    ] as const) {
      const made = await make(3)
      const path = String(made.headers['location'])
      places.push(path)
      expect(path).toBe(`/v1/wallets/${wallet}/holds/${String(made.at('holdId'))}`)
      expect((await call('GET', path, { as })).text).toBe(made.text)
      const ended = await post(`${path}/${how}`, body)
      expect((await call('GET', path, { as })).text).toBe(ended.text)
    }
    // More than a wallet's state remembers of what ended.
    const pass = async () => expect((await post(`${String((await make(0.1)).headers['location'])}/release`, {})).status).toBe(200)
    for (let round = 0; round < 7; round++) await Promise.all(Array.from({ length: 20 }, pass))
    const read = async (path: string, who: NonNullable<Call['as']>) => (await call('GET', path, { as: who })).at('status')
    expect(await Promise.all(places.map((path) => read(path, ['s', 'support'])))).toEqual(['CAPTURED', 'RELEASED'])
    for (const path of places) {
      const late = await post(`${path}/capture`, {})
      expect([late.status, late.at('type')]).toEqual([422, '/problems/hold-not-open'])
      expect(await read(path, ['other', 'customer'])).toBe(404)
    }
    expect(await read(`/v1/wallets/${wallet}/holds/${NOBODY}`, as)).toBe(404)
  })

  it('releases itself when it expires', async () => {
    const before = (await call('GET', `/v1/wallets/${id}`)).at('available')
    const body = { amount: inr(1), reference: 'o-1', expiresAt: new Date(Date.now() + 3_000).toISOString() }
    const send = () => call('POST', `/v1/wallets/${id}/holds`, { as: owner, key: 'expiring', body })
    const held = await send()
    expect(held.status).toBe(201)
    await eventually('the hold is released', async () => (await call('GET', `/v1/wallets/${id}`)).at('held.amount') === '0')
    expect((await call('GET', `/v1/wallets/${id}`)).at('available')).toEqual(before)
    expect((await end(held.at('holdId'), 'capture')).at('type')).toBe('/problems/hold-not-open')
    // The repeat of a call whose time has passed since is answered as the call was.
    expect((await send()).text).toBe(held.text)
    expect((await call('GET', `/v1/wallets/${id}/events?limit=100`)).text).toContain('"cause":"expired"')
    // Neither it nor a hold that was refused leaves a timer behind.
    await call('POST', `/v1/wallets/${id}/holds`, {
      as: owner,
      body: { ...body, amount: inr(99_999), expiresAt: new Date(Date.now() + 60_000).toISOString() },
    })
    const pool = createPool({ url: test.config.DATABASE_URL, schema: 'wallet', applicationName: 'test', maxConnections: 1 })
    await eventually('no timer is left', async () => (await pool.query('SELECT FROM hold_expiry')).rowCount === 0)
    await pool.end()
  })
})

describe('transfers', () => {
  it('moves both sides or neither, within limits', async () => {
    const [from, to] = [await test.wallet('t-1', 20_000), await test.wallet('t-2', 0)]
    const as = ['t-1', 'customer'] as const
    const send = (rupees: number, toWalletId = to) =>
      call('POST', '/v1/transfers', { as, body: { fromWalletId: from, toWalletId, amount: inr(rupees), reference: 'rent' } })
    const sent = await send(5_000)
    expect([sent.status, sent.at('status'), sent.at('transferId')]).toEqual([201, 'COMPLETED', expect.any(String)])
    expect([(await call('GET', `/v1/wallets/${from}`)).at('balance'), (await call('GET', `/v1/wallets/${to}`)).at('balance')]).toEqual([
      inr(15_000),
      inr(5_000),
    ])
    expect((await send(1)).at('type')).toBe('/problems/limit-exceeded')
    expect((await send(1, from)).at('errors.0.pointer')).toBe('/toWalletId')
    const put = () => call('PUT', `/v1/wallets/${from}/beneficiaries/${to}`, { as })
    const registered = await put()
    expect([registered.status, (await put()).status]).toEqual([201, 200])
    expect((await call('GET', String(registered.headers['location']), { as })).text).toBe(registered.text)
    expect((await call('PUT', `/v1/wallets/${from}/beneficiaries/${NOBODY}`, { as })).status).toBe(404)
    // Each side's money went through an account that is zero again.
    const statement = await call('GET', `/v1/wallets/${to}/statement`)
    expect(statement.at('items.0')).toMatchObject({ type: 'transfer-in', amount: inr(5_000), balance: inr(5_000), reference: 'rent' })
  })

  it('has no version that If-Match could name: 412, whosever the wallets are, and nothing moves', async () => {
    const [from, to] = [await test.wallet('match-1', 100), await test.wallet('match-2', 0)]
    const send = (sub: string, ifMatch: string) =>
      call('POST', '/v1/transfers', {
        as: [sub, 'customer'],
        headers: { 'if-match': ifMatch },
        body: { fromWalletId: from, toWalletId: to, amount: inr(1), reference: 'r' },
      })
    const version = String((await call('GET', `/v1/wallets/${from}`)).headers['etag'])
    const answers = [await send('match-1', version), await send('match-1', '*'), await send('match-2', version)]
    expect(answers.map((answer) => [answer.status, answer.at('type')])).toEqual(answers.map(() => [412, '/problems/version-mismatch']))
    expect((await call('GET', `/v1/wallets/${from}`)).at('balance')).toEqual(inr(100))
  })

  it('says nothing of the wallet that was to receive', async () => {
    const from = await test.wallet('quiet-1', 1_000)
    const [full, shut] = [await test.wallet('quiet-2', 2_00_000), await test.wallet('quiet-3', 0)]
    await call('POST', `/v1/wallets/${shut}/close`, { body: { reason: 'gone' } })
    const send = (toWalletId: string, rupees = 1) =>
      call('POST', '/v1/transfers', {
        as: ['quiet-1', 'customer'],
        body: { fromWalletId: from, toWalletId, amount: inr(rupees), reference: 'r' },
      })
    const told = await Promise.all(
      [full, shut, NOBODY].map(async (to) => {
        const answer = await send(to)
        return [answer.status, answer.at('type'), answer.at('detail'), Object.keys(JSON.parse(answer.text) as object).length]
      }),
    )
    const same = [422, '/problems/recipient-unavailable', 'the receiving wallet cannot take this transfer', 6]
    expect(told).toEqual([same, same, same])
    // A sender who could not pay anyway hears of that alone.
    expect((await send(shut, 1_001)).at('type')).toBe('/problems/insufficient-funds')
  })

  it('loses nothing when wallets pay each other at once', async () => {
    const ids = [await test.wallet('x-1', 100), await test.wallet('x-2', 100)] as const
    const send = (at: number) => {
      const [from, to] = at % 2 === 0 ? ids : [ids[1], ids[0]]
      const body = { fromWalletId: from, toWalletId: to, amount: inr(10), reference: 'r' }
      return call('POST', '/v1/transfers', { as: [at % 2 === 0 ? 'x-1' : 'x-2', 'customer'], body })
    }
    const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => send(at)))
    expect(answers.filter(({ status }) => status !== 201 && status !== 422)).toEqual([])
    const balances = await Promise.all(ids.map(async (id) => Number((await call('GET', `/v1/wallets/${id}`)).at('balance.amount'))))
    expect(balances.reduce((sum, balance) => sum + balance, 0)).toBe(20_000)
  })
})

describe('status', () => {
  it('pays cash within the limits of cash, and says so in the statement', async () => {
    const id = await test.wallet('cash-1', 20_000)
    const pay = async (rupees: number, more: object = { cash: true }) =>
      (await call('POST', `/v1/wallets/${id}/debits`, { body: { amount: inr(rupees), reference: 'counter', ...more } })).status
    expect([await pay(2_001), await pay(2_000), await pay(2_001, {}), await pay(2_001, { cash: false })]).toEqual([422, 201, 201, 201])
    expect(await pay(1, { cash: 'yes' })).toBe(400)
    const statement = await call('GET', `/v1/wallets/${id}/statement`, { as: ['cash-1', 'customer'] })
    expect((statement.at('items') as { type: string }[]).map(({ type }) => type)).toEqual(['credit', 'cash-out', 'debit', 'debit'])
    expect((await call('GET', '/v1/wallets/trial-balance')).status).toBe(200)
  })

  it('freezes, unfreezes, changes KYC and closes, with reason and by whom', async () => {
    const id = await test.wallet('status-1', 50, 'small')
    const govern = (what: string, more: object = {}) =>
      call('POST', `/v1/wallets/${id}/${what}`, { as: ['risk-1', 'risk'], key: null, body: { reason: `why ${what}`, ...more } })
    expect((await govern('freeze')).at('status')).toBe('FROZEN')
    const debit = { body: { amount: inr(1), reference: 'r' } }
    expect(await problem('POST', `/v1/wallets/${id}/debits`, debit)).toEqual([422, '/problems/wallet-frozen'])
    expect((await call('POST', `/v1/wallets/${id}/credits`, debit)).status).toBe(201)
    expect((await govern('unfreeze')).at('status')).toBe('OPEN')
    expect((await govern('kyc', { kyc: 'full' })).at('kyc')).toBe('full')
    const held = await call('POST', `/v1/wallets/${id}/holds`, debit)
    const refused = await govern('close')
    expect([refused.status, refused.at('type')]).toEqual([409, '/problems/invalid-transition'])
    await call('POST', `/v1/wallets/${id}/holds/${String(held.at('holdId'))}/release`)
    const closed = await govern('close')
    expect([closed.status, closed.at('status'), closed.at('balance')]).toEqual([200, 'CLOSED', inr(0)])
    expect(await problem('POST', `/v1/wallets/${id}/credits`, debit)).toEqual([422, '/problems/wallet-closed'])
    const events = await call('GET', `/v1/wallets/${id}/events?limit=100`, { as: ['aud', 'auditor'] })
    expect(events.text).toContain('"by":"risk-1","reason":"why freeze","origin":"POST /v1/wallets/:id/freeze"')
    // The owner may open another.
    expect((await call('GET', '/v1/wallets?ownerId=status-1')).at('walletId')).toBe(id)
    const next = await test.wallet('status-1', 0)
    expect((await call('GET', '/v1/wallets?ownerId=status-1')).at('walletId')).toBe(next)
  })
})

describe('records', () => {
  let id: string
  let between: string
  beforeAll(async () => {
    id = await test.wallet('rec-1', 100)
    await new Promise((resolve) => setTimeout(resolve, 5))
    between = new Date().toISOString()
    await new Promise((resolve) => setTimeout(resolve, 5))
    for (let count = 1; count <= 4; count++) {
      await call('POST', `/v1/wallets/${id}/debits`, { body: { amount: inr(count), reference: count === 2 ? '=1+1,"x"' : `d-${count}` } })
    }
  })

  it('reads the past by version and time', async () => {
    const read = async (query: string) => {
      const answer = await call('GET', `/v1/wallets/${id}?${query}`, { as: ['rec-1', 'customer'] })
      return [answer.status, answer.at('version'), answer.at('balance.amount')]
    }
    expect(await read('version=3')).toEqual([200, 3, '9900'])
    expect(await read(`at=${between}`)).toEqual([200, 2, '10000'])
    expect((await read('version=99'))[0]).toBe(404)
    expect((await read('at=2020-01-01T00:00:00Z'))[0]).toBe(404)
    expect((await read('version=0'))[0]).toBe(400)
    expect((await read(`version=1&at=${between}`))[0]).toBe(400)
    expect((await read('at=yesterday'))[0]).toBe(400)
  })

  it('lists the statement with a running balance, page by page', async () => {
    const balances: unknown[] = []
    let cursor = ''
    for (let page = 0; page < 5; page++) {
      const answer = await call('GET', `/v1/wallets/${id}/statement?limit=2${cursor}`)
      const { items, nextCursor } = JSON.parse(answer.text) as { items: { balance: { amount: string } }[]; nextCursor: string | null }
      balances.push(...items.map(({ balance }) => balance.amount))
      if (nextCursor === null) break
      cursor = `&cursor=${nextCursor}`
    }
    expect(balances).toEqual(['10000', '9900', '9700', '9400', '9000'])
    const later = JSON.parse((await call('GET', `/v1/wallets/${id}/statement?from=${between}`)).text) as { items: unknown[] }
    expect(later.items.length).toBe(4)
    expect((await call('GET', `/v1/wallets/${id}/statement?cursor=nonsense`)).status).toBe(400)
  })

  it('begins the statement at a time without reading what was before, and shows each line by itself', async () => {
    const { items } = JSON.parse((await call('GET', `/v1/wallets/${id}/statement`)).text) as { items: { at: string; entryId: string }[] }
    for (const from of [items[0]?.at, items[3]?.at, '2100-01-01T00:00:00Z', '2020-01-01T00:00:00Z']) {
      const since = JSON.parse((await call('GET', `/v1/wallets/${id}/statement?from=${from}`)).text) as { items: unknown[] }
      expect(since.items).toEqual(items.filter(({ at }) => Date.parse(at) >= Date.parse(String(from))))
    }
    const lines = await Promise.all(
      [2, 3, 4, 5, 6].map(async (version) => JSON.parse((await call('GET', `/v1/wallets/${id}/entries/${version}`)).text) as unknown),
    )
    expect(lines).toEqual(items)
    for (const version of ['1', '7', '0', '-1', 'x', '9'.repeat(15)])
      expect([version, (await call('GET', `/v1/wallets/${id}/entries/${version}`)).status]).toEqual([version, 404])
  })

  it('finds a snapshot that was tampered with', async () => {
    const victim = await test.wallet('rec-2', 100)
    const debit = () => call('POST', `/v1/wallets/${victim}/debits`, { body: { amount: inr(0.01), reference: 'r' } })
    for (let round = 0; round < 13; round++) await Promise.all(Array.from({ length: 40 }, debit))
    const pool = createPool({ url: test.config.DATABASE_URL, schema: 'wallet', applicationName: 'test', maxConnections: 1 })
    const taken = () => pool.query<{ state: Buffer }>('SELECT state FROM snapshots WHERE stream_id = $1', [`wallet-${victim}`])
    await eventually('the snapshot is taken', async () => (await taken()).rowCount === 1)
    const read = async () => (await call('GET', `/v1/wallets/${victim}/verify`)).at('faults')
    expect(await read()).toEqual([])
    const [row] = (await taken()).rows
    const forged = { ...(JSON.parse(String(row?.state)) as object), balance: '99999999' }
    await pool.query('UPDATE snapshots SET state = $2 WHERE stream_id = $1', [`wallet-${victim}`, Buffer.from(JSON.stringify(forged))])
    await pool.end()
    expect(await read()).toEqual(['state'])
  })

  it('gives the statement as CSV, safe for spreadsheets', async () => {
    const csv = await call('GET', `/v1/wallets/${id}/statement?to=2100-01-01T00:00:00Z`, { headers: { accept: 'text/csv' } })
    expect(csv).toMatchObject({ status: 200, text: expect.stringContaining(`,debit,200,9700,"'=1+1,""x"""\r\n`) })
  })

  it('verifies the stream', async () => {
    const good = await call('GET', `/v1/wallets/${id}/verify`)
    expect([good.at('ok'), good.at('version'), good.at('checkedEvents')]).toEqual([true, 6, 6])
    expect(good.at('head')).toMatch(/^[0-9a-f]{64}$/)
  })

  it('accepts a consistency token and refuses a malformed one', async () => {
    const credited = await call('POST', `/v1/wallets/${id}/credits`, { body: { amount: inr(1), reference: 'r' } })
    const read = (token: string) => call('GET', `/v1/wallets/${id}`, { headers: { 'consistency-token': token } })
    expect((await read(String(credited.headers['consistency-token']))).at('version')).toBe(7)
    expect((await read('!!')).status).toBe(400)
  })
})

describe('the description', () => {
  it('has every route of the contract, and no other', async () => {
    const { paths } = JSON.parse((await call('GET', '/openapi.json')).text) as { paths: Record<string, Record<string, unknown>> }
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(routes.filter((route) => route.includes('/v1/')).toSorted()).toEqual([
      'GET /v1/wallets',
      'GET /v1/wallets/trial-balance',
      'GET /v1/wallets/{id}',
      'GET /v1/wallets/{id}/beneficiaries/{walletId}',
      'GET /v1/wallets/{id}/entries/{version}',
      'GET /v1/wallets/{id}/events',
      'GET /v1/wallets/{id}/holds/{holdId}',
      'GET /v1/wallets/{id}/loads/{loadId}',
      'GET /v1/wallets/{id}/statement',
      'GET /v1/wallets/{id}/verify',
      'POST /v1/transfers',
      'POST /v1/wallets',
      'POST /v1/wallets/{id}/close',
      'POST /v1/wallets/{id}/credits',
      'POST /v1/wallets/{id}/debits',
      'POST /v1/wallets/{id}/freeze',
      'POST /v1/wallets/{id}/holds',
      'POST /v1/wallets/{id}/holds/{holdId}/capture',
      'POST /v1/wallets/{id}/holds/{holdId}/release',
      'POST /v1/wallets/{id}/kyc',
      'POST /v1/wallets/{id}/loads',
      'POST /v1/wallets/{id}/unfreeze',
      'PUT /v1/wallets/{id}/beneficiaries/{walletId}',
    ])
  })
})
