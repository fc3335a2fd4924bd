import { paise, type JsonObject } from '#kernel'
import { callerIdentity, commandIdOf, fingerprint, Problem, type CommandRequest, type RecordedAnswer, type Role } from '#platform'
import type { ProviderPayment } from '#payment-http'
import { sagaIdFor } from '#saga'
import type { MemoryStoreData } from '#event-store/testing'
import { DecideAlert } from '../../apps/fraud/commands/decide-alert.js'
import { RefundPayment } from '../../apps/payment-saga/commands/refund-payment.js'
import { ORDER_PAYMENT } from '../../apps/payment-saga/sagas/saga-types.js'
import { ChangeOrder, type OrderChange } from '../../apps/order-command/commands/change-order.js'
import { MoveStock } from '../../apps/order-command/commands/move-stock.js'
import { PlaceOrder, type OrderRequest, type PaymentRequest } from '../../apps/order-command/commands/place-order.js'
import { PutProduct } from '../../apps/order-command/commands/put-product.js'
import { LoadWallet } from '../../apps/wallet/commands/load-wallet.js'
import { MoveMoney, TransferMoney } from '../../apps/wallet/commands/move-money.js'
import { OpenWallet } from '../../apps/wallet/commands/open-wallet.js'
import { ConsistencyToken } from '#platform'
import { orders as orderTable } from '../../apps/order-query/read-models/tables.js'
import type { Plant } from './plant.js'
import type { Platform } from './platform.js'
import type { Process } from './process.js'
import type { Scheduler } from './scheduler.js'
import { Violation } from './violation.js'

/** What a client was told, and must find true for ever. */
export interface Acknowledged {
  readonly commandId: string
  readonly data: MemoryStoreData
  readonly answer: string
  /** By a role that customers do not have: then it is in the audit trail. */
  readonly act: boolean
}

export interface Shop {
  readonly orders: number
  readonly skus: number
  readonly customers: number
}

const PRODUCTS = [
  { sku: 'AIRDOPES', price: '149900', gstRate: 18 },
  { sku: 'PHONE', price: '2499900', gstRate: 18 },
  // A first order of one is reviewed, of five declined.
  { sku: 'LAPTOP', price: '21000000', gstRate: 18 },
] as const

const UPI = ['success@upi', 'success@upi', 'slow@upi', 'lost@upi', 'decline@upi', 'timeout@upi', 'late@upi', 'intent@upi', 'nobody@upi']
const CARDS = ['tok_success', 'tok_success', 'tok_success', 'tok_lost', 'tok_decline', 'tok_timeout']
const BANKS = ['SBOX_SUCCESS', 'SBOX_SUCCESS', 'SBOX_REDIRECT', 'SBOX_DECLINE']
/** The wallet's part of a split, paise: less than anything costs. */
const SPLIT_PART = '50000'
const MOST_TRIES = 400
const PATIENCE_MS = 1_500

type Serve<App> = (app: App, request: CommandRequest) => Promise<RecordedAnswer>

/** Everybody outside: the merchant, the customers and the analyst. They repeat what was not answered, under the same key. */
export class Clients {
  readonly acknowledged: Acknowledged[] = []
  /** Of orders that were answered 201. */
  readonly placed: string[] = []
  readonly #answers = new Map<string, string>()
  #busy = 0
  #failure: unknown

  constructor(
    private readonly scheduler: Scheduler,
    private readonly platform: Platform,
    private readonly plant: Plant,
  ) {}

  /** All have what they came for. */
  get done(): boolean {
    return this.#busy === 0
  }

  /** Throws what a client found wrong. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  start({ orders, skus, customers }: Shop): void {
    const { scheduler } = this
    const products = PRODUCTS.slice(0, skus)
    const ready = Promise.all(products.map(({ sku, ...product }) => this.#stock(sku, product)))
    this.#run(async () => void (await ready))
    const wallets: (Promise<string> | undefined)[] = Array.from({ length: customers }, (_, at) => this.#openWallet(`customer-${at}`, at))
    for (let at = 0; at < orders; at++) {
      const customer = scheduler.below(customers)
      this.#run(async () => {
        await ready
        const walletId = (await wallets[customer]) ?? ''
        await this.#pause(20_000)
        await this.#order(
          `customer-${customer}`,
          walletId,
          `order-${at}`,
          products.map(({ sku }) => sku),
          // At least ten are placed for certain; of the others some clients never learn what became of them.
          at >= 10 && scheduler.chance(0.3),
        )
      })
    }
    this.#run(async () => {
      if (scheduler.chance(0.5)) return
      const customer = scheduler.below(customers)
      const walletId = (await wallets[customer]) ?? ''
      await this.#pause(30_000)
      await this.#load(`customer-${customer}`, walletId, 'load')
    })
    this.#run(async () => {
      const ids = await Promise.all(wallets)
      for (let at = 0; at < 3; at++) {
        await this.#pause(15_000)
        const from = scheduler.below(customers)
        const to = scheduler.below(customers)
        await this.#transfer(`customer-${from}`, ids[from] ?? '', ids[to] ?? '', `transfer-${at}`)
      }
    })
  }

  /** The analyst looks at what is open now, and at samples; some nobody decides. */
  async reviewAlerts(): Promise<void> {
    const { scheduler, platform } = this
    const [open, sampled] = [
      await platform.alerts.list({ status: 'open', limit: 10 }),
      await platform.alerts.list({ status: 'sampled', limit: 10 }),
    ]
    for (const { alertId } of [...open, ...sampled]) {
      if (this.#answers.has(`seen ${alertId}`)) continue
      this.#answers.set(`seen ${alertId}`, '')
      if (scheduler.chance(0.25)) continue
      const decision = scheduler.chance(0.6) ? 'approve' : 'decline'
      this.#run(async () => {
        await this.#pause(35_000)
        await this.#send(
          platform.fraud,
          'analyst',
          ['risk'],
          'POST',
          `/v1/fraud/alerts/${alertId}/decision`,
          alertId,
          { decision },
          (app, request) => app.decideAlert.execute(new DecideAlert(request, alertId, decision, 'looked at')),
        )
      })
    }
  }

  async #stock(sku: string, { price, gstRate }: { price: string; gstRate: number }): Promise<void> {
    const { orderCommand } = this.platform
    const details = { title: sku, category: 'electronics', price, gstRate }
    await this.#send(orderCommand, 'merchant', ['merchant'], 'PUT', `/v1/products/${sku}`, 'product', details, (app, request) =>
      app.putProduct.execute(new PutProduct(request, sku, details)),
    )
    const quantity = 3 + this.scheduler.below(10)
    await this.#send(orderCommand, 'merchant', ['merchant'], 'POST', `/v1/products/${sku}/stock`, 'stock', { quantity }, (app, request) =>
      app.moveStock.execute(new MoveStock(request, sku, { type: 'receive', quantity })),
    )
  }

  async #openWallet(ownerId: string, at: number): Promise<string> {
    const { wallet } = this.platform
    this.#busy++
    const opened = await this.#send(wallet, 'admin', ['admin'], 'POST', '/v1/wallets', `open-${at}`, { ownerId }, (app, request) =>
      app.openWallet.execute(new OpenWallet(request, ownerId, 'full')),
    )
    const walletId = textOf(opened?.body, 'walletId')
    const amount = paise(this.scheduler.chance(0.4) ? 200_000 : 5_000_000 + this.scheduler.below(9_000_000))
    const body = { amount: amount.toString() }
    await this.#send(wallet, 'admin', ['admin'], 'POST', `/v1/wallets/${walletId}/credits`, `credit-${at}`, body, (app, request) =>
      app.moveMoney.execute(new MoveMoney(request, walletId, 'credit', amount, 'load')),
    )
    this.#busy--
    return walletId
  }

  async #transfer(sub: string, from: string, to: string, key: string): Promise<void> {
    const amount = paise(1_000 + this.scheduler.below(100_000))
    const body = { to, amount: amount.toString() }
    await this.#send(this.platform.wallet, sub, ['customer'], 'POST', `/v1/wallets/${from}/transfers`, key, body, (app, request) =>
      app.transferMoney.execute(new TransferMoney(request, from, to, amount, 'between friends')),
    )
  }

  async #load(sub: string, walletId: string, key: string): Promise<void> {
    const { scheduler, platform } = this
    const amount = paise(1_000 + scheduler.below(500_000))
    const payment = scheduler.pick<ProviderPayment>([
      { method: 'upi', vpa: scheduler.pick(UPI) },
      { method: 'card', token: scheduler.pick(CARDS) },
      { method: 'netbanking', bankCode: scheduler.pick(BANKS) },
    ])
    const body = { amount: amount.toString(), payment }
    await this.#send(platform.wallet, sub, ['customer'], 'POST', `/v1/wallets/${walletId}/loads`, key, body, (app, request) =>
      app.loadWallet.execute(new LoadWallet(request, walletId, amount, payment)),
    )
  }

  /** Some of it or all, whatever else gives of it back meanwhile; refused where nothing was taken yet. */
  async #refund(orderId: string, key: string): Promise<void> {
    const { scheduler, platform } = this
    const paymentId = sagaIdFor(ORDER_PAYMENT, orderId)
    const amount = scheduler.chance(0.3) ? undefined : paise(1 + scheduler.below(200_000))
    const body = { amount: amount?.toString(), reason: 'goodwill' }
    await this.#send(
      platform.paymentSaga,
      'merchant',
      ['merchant'],
      'POST',
      `/v1/payments/${paymentId}/refunds`,
      key,
      body,
      (app, request) =>
        app.refundPayment.execute(new RefundPayment(request, paymentId, platform.ids.next(), amount, 'goodwill', scheduler.clock.now())),
    ).catch((error: unknown) => {
      // Its payment has not begun.
      if (!(error instanceof Problem) || error.status !== 404) throw error
    })
  }

  async #order(
    sub: string,
    walletId: string,
    key: string,
    skus: readonly string[],
    impatient: boolean,
    payment = this.#payment(walletId),
  ): Promise<void> {
    const { scheduler, platform } = this
    const wanted = this.#wanted(skus, key, payment)
    const place = (giveUp: boolean) =>
      this.#send(
        platform.orderCommand,
        sub,
        ['customer'],
        'POST',
        '/v1/orders',
        key,
        wanted,
        (app, request) => app.placeOrder.execute(new PlaceOrder(request, wanted)),
        giveUp,
      )
    // Twice at once, or twice one after another, is one order.
    if (scheduler.chance(0.15)) this.#run(async () => void (await place(false)))
    const answer = await place(impatient)
    // Too dear for cash on delivery: who wants it pays before.
    if (answer?.status === 422 && payment.method === 'cod')
      return this.#order(sub, walletId, `${key}-prepaid`, skus, impatient, { method: 'wallet', walletId })
    if (answer?.status !== 201) return
    const orderId = textOf(answer.body, 'orderId')
    this.placed.push(orderId)
    if (scheduler.chance(0.3)) await this.#read(answer, orderId)
    if (payment.method !== 'cod' && scheduler.chance(0.15))
      this.#run(async () => {
        await this.#pause(60_000)
        await this.#refund(orderId, `refund-${key}`)
      })
    if (scheduler.chance(0.3)) {
      await this.#pause(45_000)
      const merchant = scheduler.chance(0.2)
      await this.#change(merchant ? 'merchant' : sub, merchant ? 'merchant' : 'customer', orderId, { type: 'cancel' }, `cancel-${key}`)
    } else if (scheduler.chance(0.5)) await this.#takeOn(sub, orderId, wanted.items)
    if (scheduler.chance(0.1)) await place(false)
  }

  /** The merchant packs, ships and delivers what was confirmed; now and then the customer thinks better of it meanwhile, or gives some back. */
  async #takeOn(sub: string, orderId: string, items: OrderRequest['items']): Promise<void> {
    const { scheduler } = this
    const merchant = (change: OrderChange, key: string) => this.#change('merchant', 'merchant', orderId, change, key)
    let packed = false
    for (let attempt = 0; attempt < 5 && !packed; attempt++) {
      await this.#pause(20_000)
      packed = (await merchant({ type: 'pack' }, `pack-${attempt}`)) === 200
    }
    if (!packed) return
    if (scheduler.chance(0.2)) this.#run(async () => void (await this.#change(sub, 'customer', orderId, { type: 'cancel' }, 'late-cancel')))
    const steps: readonly OrderChange[] = [
      { type: 'ship', carrier: 'Delhivery', trackingNumber: 'DL1' },
      { type: 'sendOut' },
      { type: 'deliver' },
    ]
    for (const [at, change] of steps.entries()) {
      await this.#pause(5_000)
      if ((await merchant(change, `step-${at}`)) !== 200) return
    }
    const [first] = items
    if (!first || scheduler.chance(0.5)) return
    const back = [{ sku: first.sku, quantity: 1 + scheduler.below(first.quantity) }]
    await this.#change(sub, 'customer', orderId, { type: 'requestReturn', items: back, reason: 'too large' }, 'return')
    await this.#pause(5_000)
    await merchant({ type: 'acceptReturn' }, 'accept')
  }

  /** The status that it was answered with. */
  async #change(
    sub: string,
    role: 'merchant' | 'customer',
    orderId: string,
    change: OrderChange,
    key: string,
  ): Promise<number | undefined> {
    const path = `/v1/orders/${orderId}/${change.type}`
    const answer = await this.#send(this.platform.orderCommand, sub, [role], 'POST', path, key, change, (app, request) =>
      app.changeOrder.execute(new ChangeOrder(request, orderId, change)),
    )
    return answer?.status
  }

  /** A read with the token of an answer shows at least what was answered, or says that it does not yet. */
  async #read(answer: RecordedAnswer, orderId: string): Promise<void> {
    const { platform } = this
    const token = ConsistencyToken.parse(answer.headers['consistency-token'] ?? '')
    const fresh = await platform.orderQuery.request('GET order', ({ versions }) => versions.waitFor(token, 'client')).catch(() => false)
    if (!fresh) return
    const row = platform.rows.rows(orderTable).find((each) => each['orderId'] === orderId)
    const needed = token.streams[`order-${orderId}`] ?? 0
    if (Number(row?.['version'] ?? 0) < needed)
      throw new Violation(7, `order ${orderId} was read at version ${String(row?.['version'])} with a token of version ${needed}`)
  }

  #wanted(skus: readonly string[], key: string, payment: PaymentRequest): OrderRequest {
    const { scheduler } = this
    const first = scheduler.pick(skus)
    const second = scheduler.pick(skus)
    const quantity = scheduler.chance(0.05) ? 5 : 1 + scheduler.below(2)
    const items = [{ sku: first, quantity }, ...(second !== first && scheduler.chance(0.3) ? [{ sku: second, quantity: 1 }] : [])]
    return {
      items,
      shippingAddress: { name: 'Asha', line1: '1 MG Road', city: 'Bengaluru', state: 'KA', pincode: '560001', phone: '+919876543210' },
      payment,
      // Tells the orders of one key from those of another.
      device: { id: key },
    }
  }

  #payment(walletId: string): PaymentRequest {
    const { scheduler } = this
    switch (scheduler.below(13)) {
      case 0:
        return { method: 'cod' }
      case 10:
        return { method: 'netbanking', bankCode: scheduler.pick(BANKS) }
      case 11:
        return { method: 'split', walletId, amount: SPLIT_PART, other: { method: 'card', token: scheduler.pick(CARDS) } }
      case 12:
        return { method: 'split', walletId, amount: SPLIT_PART, other: { method: 'upi', vpa: scheduler.pick(UPI) } }
      case 1:
      case 2:
      case 3:
        return { method: 'upi', vpa: scheduler.pick(UPI), flow: scheduler.chance(0.3) ? 'intent' : 'collect' }
      case 4:
      case 5:
        return { method: 'card', token: scheduler.pick(CARDS) }
      default:
        return { method: 'wallet', walletId }
    }
  }

  /** Until it is answered; `undefined` where the client gives up after the first try. */
  async #send<App>(
    process: Process<App>,
    sub: string,
    roles: readonly Role[],
    method: string,
    path: string,
    key: string,
    body: unknown,
    serve: Serve<App>,
    giveUp = false,
  ): Promise<RecordedAnswer | undefined> {
    const commandId = commandIdOf(sub, method, path, key)
    const print = fingerprint(body)
    for (let attempt = 0; attempt < MOST_TRIES; attempt++) {
      const id = this.plant.commandId?.(commandId, attempt) ?? commandId
      const context = { correlationId: id, causationId: id }
      const caller = callerIdentity(sub, roles)
      const route = `${method} ${shape(path)}`
      const privileged = roles.filter((role) => role !== 'customer')
      const request: CommandRequest = {
        caller,
        method,
        path,
        route,
        ...(privileged.length > 0 && { act: { action: route, path, roles: privileged } }),
        commandId: id,
        idempotencyKey: key,
        fingerprint: print,
        unkeyedFingerprint: () => print,
        context,
        traceId: '',
      }
      try {
        const answer = await process.request(route, (app) => serve(app, request))
        this.#heard(process, commandId, request, answer)
        return answer
      } catch (error) {
        if (error instanceof Violation) throw error
        if (error instanceof Problem && error.status !== 409) throw error
        if (giveUp) return undefined
      }
      await this.#pause(PATIENCE_MS)
    }
    throw new Violation(6, `${method} ${path} was not answered in ${MOST_TRIES} tries`)
  }

  #heard<App>(process: Process<App>, key: string, { commandId, act }: CommandRequest, answer: RecordedAnswer): void {
    const { status, headers, body } = answer
    const text = JSON.stringify({ status, headers, body })
    const before = this.#answers.get(key)
    if (before !== undefined && before !== text)
      throw new Violation(5, `one key had two answers: ${before.slice(0, 200)} and ${text.slice(0, 200)}`)
    this.#answers.set(key, text)
    const database = Object.values(this.platform.databases).find(({ app }) => app === process.name)
    if (database && before === undefined) this.acknowledged.push({ commandId, data: database.data, answer: text, act: act !== undefined })
  }

  #pause(most_ms: number): Promise<void> {
    return this.scheduler.clock.sleep(1 + this.scheduler.below(most_ms))
  }

  #run(work: () => Promise<void>): void {
    this.#busy++
    void work().then(
      () => this.#busy--,
      (error: unknown) => (this.#failure ??= error),
    )
  }
}

const shape = (path: string): string => path.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '{id}').replace(/products\/[A-Z]+/, 'products/{sku}')

const textOf = (body: unknown, name: string): string => {
  const value = typeof body === 'object' && body !== null ? (body as JsonObject)[name] : undefined
  if (typeof value !== 'string') throw new Error(`the answer has no ${name}: ${JSON.stringify(body)}`)
  return value
}
