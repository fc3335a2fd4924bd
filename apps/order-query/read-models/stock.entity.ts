import { Column, Entity, PrimaryColumn } from 'typeorm'

/** A table of its own: stock may be known before its product is. */
@Entity('stock')
export class StockRow {
  @PrimaryColumn('text') sku!: string
  @Column('int', { nullable: true }) version!: number
  @Column('int', { name: 'on_hand', nullable: true }) onHand!: number
  @Column('int', { nullable: true }) reserved!: number
  @Column('int', { nullable: true }) available!: number
  @Column('timestamptz', { name: 'updated_at', nullable: true }) updatedAt!: Date
}
