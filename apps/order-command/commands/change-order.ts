import { seal, SubjectErased, type Decision, type Events, type SealedText, type StatesOf, type SubjectKeys } from '#event-store'
import { isRefusal, type Clock, type Random, type Refusal } from '#kernel'
import { order, type OrderCommand, type OrderedUnits, type PlacedOrder } from '#order'
import { choiceView, orderView, revealOrder } from '#order-http'
import { HttpCommands, notFound, type CommandRequest, type RecordedAnswer } from '#platform'
import { shipStock, takeBackStock } from '#stock'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { accountErased } from '../http/account-erased.js'
import { CLOCK, EVENT_STORE, SEALING, SUBJECT_KEYS } from '../ports.js'
import { appendsOf, orderRef, reservationRef, stockIn, stockRef } from '../streams.js'

/** What a person does to an order that was placed. Texts are in the clear: they go no further than this command. */
export type OrderChange =
  | { readonly type: 'cancel'; readonly note?: string }
  | { readonly type: 'pack' | 'sendOut' | 'deliver' | 'acceptReturn' }
  | { readonly type: 'ship'; readonly carrier: string; readonly trackingNumber: string }
  | { readonly type: 'requestReturn'; readonly items: readonly OrderedUnits[]; readonly reason: string }

export class ChangeOrder extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly orderId: string,
    readonly change: OrderChange,
  ) {
    super()
  }
}

/**
 * Decided on the order at once, and with it what moves in the warehouse: goods that are shipped or taken back are so in the same commit. Money,
 * and the stock of a cancelled order, follow by saga. The merchant, who may not see the address, gets the order without it.
 */
@CommandHandler(ChangeOrder)
export class ChangeOrderHandler implements ICommandHandler<ChangeOrder> {
  constructor(
    @Inject(HttpCommands) private readonly http: HttpCommands,
    @Inject(EVENT_STORE) private readonly events: Pick<Events, 'load'>,
    @Inject(SUBJECT_KEYS) private readonly subjectKeys: SubjectKeys,
    @Inject(CLOCK) private readonly clock: Clock,
    /** For simulations alone; undefined: the system's entropy. */
    @Inject(SEALING) private readonly random: Random | undefined,
  ) {}

  async execute({ request, orderId, change }: ChangeOrder): Promise<RecordedAnswer> {
    const target = orderRef(orderId)
    // For what never changes: whose it is, and of what it is made.
    const { state: placed } = await this.events.load(target)
    if (placed === null) throw notFound('order')
    const { sub } = request.caller
    const { customerId } = placed
    const own = customerId === sub
    const command = await this.#command(change, customerId, own)
    // Before anything is decided: without the keys nothing is done, rather than done and answered as if it were not.
    const open = await this.subjectKeys.openerOf(showsSealed(change, own) ? [customerId] : [])
    return this.http.execute(request, {
      streams: [target, ...stockStreams(orderId, change, placed)],
      target,
      status: 200,
      correlationId: orderId,
      decide: (states) => {
        const { state, version } = states.of(target)
        if (state === null) throw notFound('order')
        const events = order.decide(command, state)
        if (isRefusal(events)) return events
        const moves = stockAppends(orderId, change, state, states)
        if (isRefusal(moves)) return moves
        const changed = { ...(events.reduce(order.evolve, state) ?? state), orderId, version: version + events.length }
        const cancellation = changed.cancellation && { ...changed.cancellation, at: changed.updatedAt, by: sub }
        const sight = { address: own, notes: true }
        return {
          appends: [{ stream: target, events }, ...moves],
          body: orderView({ ...changed, cancellation }, choiceView(changed.payment), sight),
        }
      },
      reveal: (body) => revealOrder(open, body, sub),
    })
  }

  async #command(change: OrderChange, customerId: string, own: boolean): Promise<OrderCommand> {
    const at = new Date(this.clock.now()).toISOString()
    switch (change.type) {
      case 'cancel': {
        const note = change.note === undefined ? undefined : await this.#sealed(customerId, change.note)
        return { type: 'cancel', reason: own ? 'customer' : 'merchant', ...(note && { note: { ...note } }), at }
      }
      case 'requestReturn': {
        const reason = await this.#sealed(customerId, change.reason)
        if (!reason) throw accountErased('gives nothing back')
        return { type: 'requestReturn', items: change.items, reason: { ...reason }, at }
      }
      case 'ship':
        return { type: 'ship', carrier: change.carrier, trackingNumber: change.trackingNumber, at }
      default:
        return { type: change.type, at }
    }
  }

  /** Under the customer's key, whoever wrote it; undefined once the customer was erased: then nothing more is kept of them. */
  async #sealed(customerId: string, text: string): Promise<SealedText | undefined> {
    try {
      return seal(await this.subjectKeys.forSubject(customerId), text, this.random)
    } catch (error) {
      if (error instanceof SubjectErased) return undefined
      throw error
    }
  }
}

/** Whether the answer has anything sealed: the address, which its owner sees, or what was written with this change or before it. */
const showsSealed = (change: OrderChange, own: boolean): boolean =>
  own || change.type === 'requestReturn' || change.type === 'acceptReturn' || (change.type === 'cancel' && change.note !== undefined)

const stockStreams = (orderId: string, { type }: OrderChange, { items }: PlacedOrder) => {
  const stocks = items.map(({ sku }) => stockRef(sku))
  if (type === 'ship') return [reservationRef(orderId), ...stocks]
  return type === 'acceptReturn' ? stocks : []
}

/** What the change, which the order allows, does in the warehouse. */
const stockAppends = (
  orderId: string,
  { type }: OrderChange,
  state: PlacedOrder,
  states: StatesOf,
): NonNullable<Decision['appends']> | Refusal => {
  if (type === 'ship') {
    const reservation = reservationRef(orderId)
    const moves = shipStock(orderId, states.of(reservation).state, stockIn(states))
    return isRefusal(moves) ? moves : appendsOf(reservation, moves)
  }
  if (type !== 'acceptReturn') return []
  const moves = takeBackStock(orderId, state.return?.items ?? [], stockIn(states))
  return isRefusal(moves) ? moves : moves.map(({ sku, events }) => ({ stream: stockRef(sku), events }))
}
