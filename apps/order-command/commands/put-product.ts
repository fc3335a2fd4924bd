import { isRefusal, paise, toMoneyJson, type JsonObject } from '#kernel'
import { product, type ProductDetails } from '#order'
import { HttpCommands, type CommandRequest, type RecordedAnswer } from '#platform'
import { available } from '#stock'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { productRef, stockRef } from '../streams.js'

export class PutProduct extends Command<RecordedAnswer> {
  constructor(
    readonly request: CommandRequest,
    readonly sku: string,
    readonly details: ProductDetails,
  ) {
    super()
  }
}

/** 201 for a new product; 200 for a change, and for one that changes nothing, which leaves the version as it was. */
@CommandHandler(PutProduct)
export class PutProductHandler implements ICommandHandler<PutProduct> {
  constructor(@Inject(HttpCommands) private readonly http: HttpCommands) {}

  execute({ request, sku, details }: PutProduct): Promise<RecordedAnswer> {
    const target = productRef(sku)
    const stock = stockRef(sku)
    return this.http.execute(request, {
      streams: [target, stock],
      target,
      status: 200,
      correlationId: `product-${sku}`,
      decide: (states) => {
        const { state, version } = states.of(target)
        const events = product.decide({ type: 'define', details }, state)
        if (isRefusal(events)) return events
        return {
          appends: [{ stream: target, events }],
          status: version === 0 ? 201 : 200,
          ...(version === 0 ? { location: `/v1/products/${encodeURIComponent(sku)}` } : {}),
          body: productResource(sku, version + events.length, details, available(states.of(stock).state)),
        }
      },
    })
  }
}

const productResource = (sku: string, version: number, details: ProductDetails, units: number): JsonObject => {
  const { price, ...others } = details
  return { sku, ...others, price: { ...toMoneyJson(paise(price)) }, available: units, version }
}
