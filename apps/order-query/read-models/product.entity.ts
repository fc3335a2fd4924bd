import { decimalText } from '#projections'
import { Column, Entity, PrimaryColumn } from 'typeorm'

@Entity('products')
export class ProductRow {
  @PrimaryColumn('text') sku!: string
  @Column('int', { nullable: true }) version!: number
  @Column('text', { nullable: true }) title!: string
  @Column('text', { nullable: true }) description!: string | null
  @Column('text', { nullable: true }) category!: string
  @Column('text', { nullable: true }) brand!: string | null
  @Column('bigint', { name: 'price_paise', nullable: true, transformer: decimalText }) price!: string
  @Column('int', { name: 'gst_rate', nullable: true }) gstRate!: number
  @Column('text', { nullable: true }) hsn!: string | null
  @Column('jsonb', { nullable: true }) attributes!: Readonly<Record<string, string>> | null
  @Column('timestamptz', { name: 'updated_at', nullable: true }) updatedAt!: Date
}
