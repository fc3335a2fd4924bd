import { type Decider, refuse } from '#kernel'

/**
 * What there is of one sku: `onHand = available + reserved`, and never more sold than received.
 * Stream `stock-<sku>`. Which order holds how much is kept in the order's own reservation (`reservation.ts`), so that the state of a sku
 * that thousands of orders want stays two numbers.
 */
export type Stock = {
  /** Units in the warehouse. */
  readonly onHand: number
  /** Units of them that orders hold. */
  readonly reserved: number
}

export const available = ({ onHand, reserved }: Stock): number => onHand - reserved

/** More units of one sku than this are a mistake in the input. */
export const MAX_ON_HAND = 1_000_000_000

/** Each event carries the levels that it leads to, so that whoever publishes one needs no state. */
export type StockEvent =
  | { readonly type: 'StockReceived'; readonly data: { readonly quantity: number } & Stock }
  | { readonly type: 'StockAdjusted'; readonly data: { readonly quantity: number; readonly reason: string } & Stock }
  | { readonly type: 'StockReserved'; readonly data: { readonly orderId: string; readonly quantity: number } & Stock }
  | { readonly type: 'StockReleased'; readonly data: { readonly orderId: string; readonly quantity: number } & Stock }
  | { readonly type: 'StockShipped'; readonly data: { readonly orderId: string; readonly quantity: number } & Stock }
  | { readonly type: 'StockReturned'; readonly data: { readonly orderId: string; readonly quantity: number } & Stock }

export type StockCommand =
  /** `quantity` units came in; positive. */
  | { readonly type: 'receive'; readonly quantity: number }
  /** A count found `quantity` more or, negative, fewer; not 0. Refused where it would take what orders hold. */
  | { readonly type: 'adjust'; readonly quantity: number; readonly reason: string }
  /** Holds `quantity` units for an order. Once per order: `reserveStock` sees to it. */
  | { readonly type: 'reserve'; readonly orderId: string; readonly quantity: number }
  /** Gives back what `reserve` held. */
  | { readonly type: 'release'; readonly orderId: string; readonly quantity: number }
  /** What `reserve` held leaves the warehouse. */
  | { readonly type: 'ship'; readonly orderId: string; readonly quantity: number }
  /** Some of what was shipped is on hand again. */
  | { readonly type: 'takeBack'; readonly orderId: string; readonly quantity: number }

export const stock: Decider<StockCommand, Stock, StockEvent> = {
  initialState: { onHand: 0, reserved: 0 },

  decide(command, state) {
    assertCount(command.type === 'adjust' ? Math.abs(command.quantity) : command.quantity)
    const { quantity } = command
    switch (command.type) {
      case 'receive':
      case 'adjust': {
        const onHand = state.onHand + quantity
        if (onHand > MAX_ON_HAND) return tooMuch()
        if (onHand < state.reserved)
          return refuse(
            'insufficient-stock',
            `${available(state)} available, ${-quantity} to take: orders hold the other ${state.reserved}`,
          )
        const levels = { onHand, reserved: state.reserved }
        if (command.type === 'receive') return [{ type: 'StockReceived', data: { quantity, ...levels } }]
        return [{ type: 'StockAdjusted', data: { quantity, reason: command.reason, ...levels } }]
      }
      case 'reserve': {
        if (quantity > available(state)) return refuse('out-of-stock', `${available(state)} available, ${quantity} asked for`)
        const levels = { onHand: state.onHand, reserved: state.reserved + quantity }
        return [{ type: 'StockReserved', data: { orderId: command.orderId, quantity, ...levels } }]
      }
      case 'release': {
        assertReserved(command, state)
        const levels = { onHand: state.onHand, reserved: state.reserved - quantity }
        return [{ type: 'StockReleased', data: { orderId: command.orderId, quantity, ...levels } }]
      }
      case 'ship': {
        assertReserved(command, state)
        const levels = { onHand: state.onHand - quantity, reserved: state.reserved - quantity }
        return [{ type: 'StockShipped', data: { orderId: command.orderId, quantity, ...levels } }]
      }
      case 'takeBack': {
        const onHand = state.onHand + quantity
        if (onHand > MAX_ON_HAND) return tooMuch()
        return [{ type: 'StockReturned', data: { orderId: command.orderId, quantity, onHand, reserved: state.reserved } }]
      }
    }
  },

  evolve: (_state, { data: { onHand, reserved } }) => ({ onHand, reserved }),
}

export const stockStream = {
  category: 'stock',
  initialState: stock.initialState,
  evolve: stock.evolve,
  snapshotEvery: 500,
  source: import.meta.url,
}

const tooMuch = () => refuse('stock-limit-exceeded', `at most ${MAX_ON_HAND} units of a sku`)

/** The order's reservation says how much it holds: more is a mistake in the code. */
const assertReserved = ({ type, quantity }: StockCommand, { reserved }: Stock): void => {
  if (quantity > reserved) throw new RangeError(`${type} of ${quantity} units where ${reserved} are reserved`)
}

/** Callers check their input; a count that is none is a mistake in the code. */
const assertCount = (quantity: number): void => {
  if (!Number.isSafeInteger(quantity) || quantity <= 0) throw new RangeError(`not a count of units: ${quantity}`)
}
