import { Column, Entity, PrimaryColumn } from 'typeorm'
import { StockChanged } from '#contracts'
import { on, table, upsert, type Projection } from '#projections'

@Entity({ name: 'shelves' })
export class ShelfRow {
  @PrimaryColumn('text')
  sku!: string

  /** All columns but the key can be null: messages of different topics come in any order. */
  @Column('int', { nullable: true })
  available!: number | null
}

export const shelves = table(ShelfRow, 'sku')

/** What each shelf still has. A message whose version is not above the one applied last has no effect. */
export const shelvesProjection: Projection = {
  name: 'shelves',
  handlers: [
    on(
      StockChanged,
      ({ sku, version }) => ({ stream: `stock-${sku}`, version }),
      ({ sku, available }) => [upsert(shelves, { sku, available })],
    ),
  ],
}
