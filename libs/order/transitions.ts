/** In the order in which an order goes through them. */
export const ORDER_STATUSES = [
  'PLACED',
  'UNDER_REVIEW',
  'CONFIRMED',
  'PACKED',
  'SHIPPED',
  'OUT_FOR_DELIVERY',
  'DELIVERED',
  'CANCELLED',
  'RETURN_REQUESTED',
  'RETURNED',
] as const
export type OrderStatus = (typeof ORDER_STATUSES)[number]

type Transition =
  'startReview' | 'confirm' | 'cancel' | 'giveUp' | 'pack' | 'ship' | 'sendOut' | 'deliver' | 'requestReturn' | 'acceptReturn'

/**
 * A transition moves an order on from where it says, and finds its work done already where it says that; from anywhere else it is refused
 * `invalid-transition`. The saga's, which may be repeated, find it done; a person who asks twice is told so.
 */
interface Rule {
  readonly from: readonly OrderStatus[]
  readonly done?: readonly OrderStatus[]
  /** What it would have made of the order. */
  readonly aim: string
}

const rules: Readonly<Record<Transition, Rule>> = {
  startReview: { from: ['PLACED'], done: ['UNDER_REVIEW'], aim: 'put under review' },
  confirm: {
    from: ['PLACED', 'UNDER_REVIEW'],
    done: ['CONFIRMED', 'PACKED', 'SHIPPED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'RETURN_REQUESTED', 'RETURNED'],
    aim: 'confirmed',
  },
  cancel: { from: ['PLACED', 'UNDER_REVIEW', 'CONFIRMED', 'PACKED'], aim: 'cancelled' },
  giveUp: { from: ['PLACED', 'UNDER_REVIEW'], done: ['CANCELLED'], aim: 'cancelled' },
  pack: { from: ['CONFIRMED'], aim: 'packed' },
  ship: { from: ['PACKED'], aim: 'shipped' },
  sendOut: { from: ['SHIPPED'], aim: 'out for delivery' },
  deliver: { from: ['OUT_FOR_DELIVERY'], aim: 'delivered' },
  requestReturn: { from: ['DELIVERED'], aim: 'returned' },
  acceptReturn: { from: ['RETURN_REQUESTED'], aim: 'taken back' },
}

/** Whether the transition moves an order on from this status; else what is to be said to who asked. */
export const verdictOn = (transition: Transition, status: OrderStatus): 'moves' | 'done' | { readonly refused: string } => {
  const { from, done = [], aim } = rules[transition]
  if (from.includes(status)) return 'moves'
  return done.includes(status) ? 'done' : { refused: `an order that is ${status} cannot be ${aim}` }
}
