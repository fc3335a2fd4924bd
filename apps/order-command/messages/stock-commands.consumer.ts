import { ReleaseStock, ReserveStock, STOCK_COMMANDS } from '#contracts'
import type { Commands, StreamRef } from '#event-store'
import { isRefusal, type IncomingMessage } from '#kernel'
import type { BatchHandler, Effect } from '#messaging'
import { BatchPattern } from '#messaging/nest'
import { releaseStock, reserveStock, type Reservation, type ReservedLine } from '#stock'
import { Controller, Inject } from '@nestjs/common'
import { EVENT_STORE } from '../ports.js'
import { appendsOf, freshReservationRef, reservationRef, stockIn, stockRef } from '../streams.js'
import { answering, UnknownCommand, type Asked } from '#service'

/** Reserves and releases stock for orders; all the skus of an order in one append, however many streams that is. */
@Controller()
export class StockCommandsConsumer {
  readonly #handle: BatchHandler

  constructor(@Inject(EVENT_STORE) store: Pick<Commands, 'executeAll'>) {
    this.#handle = answering(store, asked)
  }

  @BatchPattern(STOCK_COMMANDS)
  handle(messages: readonly IncomingMessage[]): Promise<Effect> {
    return this.#handle(messages)
  }
}

const asked = ({ type, topic, data }: IncomingMessage): Asked => {
  switch (type) {
    case ReserveStock.type: {
      const { replyTo, orderId, lines } = ReserveStock.parse(data)
      return moving(replyTo, freshReservationRef(orderId), lines, (state, stockOf) => reserveStock(orderId, lines, state, stockOf))
    }
    case ReleaseStock.type: {
      const { replyTo, orderId, lines } = ReleaseStock.parse(data)
      return moving(replyTo, reservationRef(orderId), lines, (state, stockOf) => releaseStock(orderId, state, stockOf))
    }
    default:
      throw new UnknownCommand(type, topic)
  }
}

type StockOf = Parameters<typeof reserveStock>[3]

const moving = (
  replyTo: string,
  reservation: StreamRef<Reservation>,
  lines: readonly ReservedLine[],
  move: (state: Reservation, stockOf: StockOf) => ReturnType<typeof reserveStock>,
): Asked => ({
  replyTo,
  streams: [reservation, ...[...new Set(lines.map(({ sku }) => sku))].map(stockRef)],
  decide: (states) => {
    const moves = move(states.of(reservation).state, stockIn(states))
    return isRefusal(moves) ? moves : { appends: appendsOf(reservation, moves) }
  },
})
