import { isRefusal } from '#kernel'
import { HttpCommands, notFound, type CommandRequest, type RecordedAnswer } from '#platform'
import { available, stock } from '#stock'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { productRef, stockRef } from '../streams.js'

export type StockMove =
  { readonly type: 'receive'; readonly quantity: number } | { readonly type: 'adjust'; readonly quantity: number; readonly reason: string }

export class MoveStock extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly sku: string,
    readonly move: StockMove,
  ) {
    super()
  }
}

/** Only of a product that is in the catalogue. The answer and its ETag are the stock's own, not the product's. */
@CommandHandler(MoveStock)
export class MoveStockHandler implements ICommandHandler<MoveStock> {
  constructor(@Inject(HttpCommands) private readonly http: HttpCommands) {}

  execute({ request, sku, move }: MoveStock): Promise<RecordedAnswer> {
    const target = stockRef(sku)
    const product = productRef(sku)
    return this.http.execute(request, {
      streams: [target, product],
      status: 200,
      target,
      correlationId: `stock-${sku}`,
      ...(move.type === 'adjust' ? { reason: move.reason } : {}),
      decide: (states) => {
        if (states.of(product).state === null) throw notFound('product')
        const { state } = states.of(target)
        const events = stock.decide(move, state)
        if (isRefusal(events)) return events
        const levels = events.reduce(stock.evolve, state)
        return { appends: [{ stream: target, events }], body: { sku, ...levels, available: available(levels) } }
      },
    })
  }
}
