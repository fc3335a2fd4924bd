import { openWith, seal, SubjectErased, type SubjectKey, type SubjectKeys } from '#event-store'
import { isRefusal, paise, refuse, type Clock, type Ids, type Paise, type Random, type Refusal } from '#kernel'
import { order, priceOrder, type OrderContent, type PaymentChoice } from '#order'
import { nothingPaidYet, orderView, paymentView, revealOrder, type ShippingAddressDto } from '#order-http'
import { codRefusal, planRefusal } from '#payment'
import { sealPayment, type ProviderPayment, type SealedPayment } from '#payment-http'
import { HttpCommands, type CommandRequest, type RecordedAnswer } from '#platform'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { accountErased } from '../http/account-erased.js'
import { CLOCK, IDS, RULES, SEALING, SUBJECT_KEYS } from '../ports.js'
import { addressHash, deviceHash, type Rules } from '../rules.js'
import { freshOrderRef, productRef } from '../streams.js'

/** How the customer wants to pay, with the instrument in the clear: it goes no further than this command. */
export type PaymentRequest =
  | { readonly method: 'wallet'; readonly walletId: string }
  | ProviderPayment
  | { readonly method: 'cod' }
  /** `amount` is the wallet's part, in paise: refused `split-exceeds-total` where it leaves nothing for the other. */
  | { readonly method: 'split'; readonly walletId: string; readonly amount: string; readonly other: ProviderPayment }

export interface OrderRequest {
  /** Each sku once. */
  readonly items: readonly { readonly sku: string; readonly quantity: number }[]
  readonly shippingAddress: ShippingAddressDto
  readonly payment: PaymentRequest
  readonly device?: { readonly id: string }
}

export class PlaceOrder extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly order: OrderRequest,
  ) {
    super()
  }
}

/**
 * Prices come from the products as they are when it is decided: their streams are read by the command, so that a price changed meanwhile
 * makes it decide again. What is personal is sealed before.
 */
@CommandHandler(PlaceOrder)
export class PlaceOrderHandler implements ICommandHandler<PlaceOrder> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(SUBJECT_KEYS) private readonly subjectKeys: SubjectKeys,
    @Inject(RULES) private readonly rules: Rules,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(IDS) private readonly ids: Ids,
    /** For simulations alone; undefined: the system's entropy. */
    @Inject(SEALING) private readonly random: Random | undefined,
  ) {}

  async execute({ request, order: wanted }: PlaceOrder): Promise<RecordedAnswer> {
    const orderId = this.ids.next()
    const customerId = request.caller.sub
    const now_ms = this.clock.now()
    const at = new Date(now_ms).toISOString()
    const key = await this.#keyOf(customerId)
    const sealed = this.#sealed(key, wanted)
    const target = freshOrderRef(orderId)
    return this.http.execute(request, {
      streams: [target, ...wanted.items.map(({ sku }) => productRef(sku))],
      target,
      status: 201,
      correlationId: orderId,
      decide: (states) => {
        const priced = priceOrder({
          lines: wanted.items,
          productOf: (sku) => states.of(productRef(sku)).state,
          sellerState: this.rules.sellerState,
          buyerState: wanted.shippingAddress.state,
          at_ms: now_ms,
          shipping: this.rules.shipping,
          gstRates: this.rules.gstRates,
        })
        if (isRefusal(priced)) return priced
        const notOffered = this.#notOffered(wanted, paise(priced.totals.grandTotal), now_ms)
        if (notOffered) return notOffered
        const content: OrderContent = { customerId, items: priced.items, totals: priced.totals, ...sealed }
        const { state, version } = states.of(target)
        const events = order.decide({ type: 'place', content, at }, state)
        if (isRefusal(events)) return events
        const placed = events.reduce(order.evolve, state)
        if (placed === null) throw new Error('a placed order is there')
        return {
          appends: [{ stream: target, events }],
          location: `/v1/orders/${orderId}`,
          body: orderView(
            { ...placed, orderId, version: version + events.length, cancellation: undefined },
            paymentView(placed.payment, nothingPaidYet(placed.totals.grandTotal)),
            { address: true, notes: true },
          ),
        }
      },
      reveal: (body) => revealOrder((text) => openWith(key, text), body, request.caller.sub),
    })
  }

  /** Why this much cannot be paid this way. */
  #notOffered({ payment, shippingAddress: { pincode } }: OrderRequest, amount: Paise, at_ms: number): Refusal | undefined {
    const { cod, plans } = this.rules
    switch (payment.method) {
      case 'cod':
        return codRefusal({ amount, pincode, at_ms }, cod)
      case 'card':
      case 'netbanking': {
        const { plan, method } = payment
        return plan === undefined ? undefined : planRefusal({ plan, method, amount, at_ms }, plans)
      }
      case 'split':
        return paise(payment.amount) < amount ? undefined : refuse('split-exceeds-total', 'the wallet pays less than the whole in a split')
      default:
        return undefined
    }
  }

  async #keyOf(customerId: string): Promise<SubjectKey> {
    try {
      return await this.subjectKeys.forSubject(customerId)
    } catch (error) {
      if (!(error instanceof SubjectErased)) throw error
      throw accountErased('places no more orders')
    }
  }

  #sealed(key: SubjectKey, wanted: OrderRequest): Omit<OrderContent, 'customerId' | 'items' | 'totals'> {
    const { shippingAddress, payment, device } = wanted
    return {
      shippingAddress: { ...seal(key, JSON.stringify(shippingAddress), this.random) },
      addressHash: addressHash(this.rules.fraudHashKey, shippingAddress),
      ...(device === undefined ? {} : { deviceHash: deviceHash(this.rules.fraudHashKey, device.id) }),
      payment: paymentChoice(payment, (provided) => sealPayment(key, provided, this.random)),
    }
  }
}

const paymentChoice = (payment: PaymentRequest, sealed: (provided: ProviderPayment) => SealedPayment): PaymentChoice => {
  switch (payment.method) {
    case 'wallet':
      return { method: 'wallet', walletId: payment.walletId }
    case 'cod':
      return { method: 'cod' }
    case 'split': {
      const { walletId, amount, other } = payment
      return { method: 'split', walletId, walletAmount: amount, other: sealed(other) }
    }
    default:
      return sealed(payment)
  }
}
