import { MAX_ON_HAND } from '#stock'
import { IsMoney, Text, TextMap, Whole, type MoneyDto } from '#platform'
import { PositiveMoneyDto } from '#platform'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'

export class PutProductDto {
  @Text({ max: 200, example: 'boAt Airdopes 141' })
  readonly title!: string

  @Text({ max: 5_000, optional: true, example: 'बोट एयरडोप्स 141' })
  readonly description?: string

  @Text({ max: 64, example: 'audio' })
  readonly category!: string

  @Text({ max: 100, optional: true, example: 'boAt' })
  readonly brand?: string

  @IsMoney({ positive: true, description: 'GST included.' })
  readonly price!: MoneyDto

  @Whole({ min: 0, max: 100, description: 'Percent; one of the GST rates valid today.', example: 18 })
  readonly gstRate!: number

  @Text({
    min: 4,
    max: 8,
    optional: true,
    pattern: { source: '^([0-9]{4}|[0-9]{6}|[0-9]{8})$', rule: 'must be an HSN code: 4, 6 or 8 digits' },
    example: '8518',
  })
  readonly hsn?: string

  @TextMap({ maxEntries: 50, maxLength: 200, optional: true, example: { colour: 'black' } })
  readonly attributes?: Record<string, string>
}

/** Either `received`, or `adjusted` with its `reason`. */
export class MoveStockDto {
  @Whole({ min: 1, max: MAX_ON_HAND, optional: true, description: 'Units that came in.', example: 100 })
  readonly received?: number

  @Whole({ min: -MAX_ON_HAND, max: MAX_ON_HAND, optional: true, description: 'Units found too many or, negative, too few; not 0.' })
  readonly adjusted?: number

  @Text({ max: 200, optional: true, description: 'Why it was adjusted.' })
  readonly reason?: string
}

/** The same for OpenAPI, which can say it as one of two. */
export class ReceiveStockDto {
  @Whole({ min: 1, max: MAX_ON_HAND, description: 'Units that came in.', example: 100 })
  readonly received!: number
}

export class AdjustStockDto {
  @Whole({ min: -MAX_ON_HAND, max: MAX_ON_HAND, description: 'Units found too many or, negative, too few; not 0.', example: -3 })
  readonly adjusted!: number

  @Text({ max: 200, description: 'Why.', example: 'water damage' })
  readonly reason!: string
}

/** For OpenAPI: what a product's change answers. */
export class ProductResource {
  @ApiProperty({ type: 'string' })
  readonly sku!: string

  @ApiProperty({ type: 'string' })
  readonly title!: string

  @ApiPropertyOptional({ type: 'string' })
  readonly description?: string

  @ApiProperty({ type: 'string' })
  readonly category!: string

  @ApiPropertyOptional({ type: 'string' })
  readonly brand?: string

  @ApiProperty({ type: PositiveMoneyDto })
  readonly price!: PositiveMoneyDto

  @ApiProperty({ type: 'integer' })
  readonly gstRate!: number

  @ApiPropertyOptional({ type: 'string' })
  readonly hsn?: string

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } })
  readonly attributes?: Record<string, string>

  @ApiProperty({ type: 'integer', description: 'Units that can be ordered.' })
  readonly available!: number

  @ApiProperty({ type: 'integer' })
  readonly version!: number
}

export class StockResource {
  @ApiProperty({ type: 'string' })
  readonly sku!: string

  @ApiProperty({ type: 'integer' })
  readonly onHand!: number

  @ApiProperty({ type: 'integer' })
  readonly reserved!: number

  @ApiProperty({ type: 'integer' })
  readonly available!: number
}
