import { decimalText } from '#projections'
import { Column, Entity, PrimaryColumn } from 'typeorm'

/** One thing that happened to an order, whoever told it. */
@Entity('order_history')
export class HistoryRow {
  @PrimaryColumn('text', { name: 'order_id' }) orderId!: string
  /** The stream that tells it, and the place in it. */
  @PrimaryColumn('text') stream!: string
  @PrimaryColumn('bigint', { transformer: decimalText }) version!: string
  @Column('text', { nullable: true }) incarnation!: string
  @Column('timestamptz', { nullable: true }) at!: Date
  @Column('text', { nullable: true }) type!: string
  @Column('text', { nullable: true }) by!: string
  @Column('text', { nullable: true }) summary!: string
  /** How fraud is recognised is not the customer's to read. */
  @Column('boolean', { name: 'staff_only', nullable: true }) staffOnly!: boolean
}
