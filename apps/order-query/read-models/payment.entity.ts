import type { PaymentChangedData } from '#contracts'
import { decimalText } from '#projections'
import { Column, Entity, PrimaryColumn } from 'typeorm'

/**
 * The payment of an order as its sagas last told it. A table of its own: it may come before the order does, and the consumers of two topics never lock
 * the same rows.
 */
@Entity('payments')
export class PaymentRow {
  @PrimaryColumn('text', { name: 'order_id' }) orderId!: string
  @Column('text', { name: 'payment_id', nullable: true }) paymentId!: string
  @Column('text', { nullable: true }) status!: PaymentChangedData['status']
  @Column('text', { nullable: true }) method!: PaymentChangedData['method']
  @Column('bigint', { name: 'amount_paise', nullable: true, transformer: decimalText }) amount!: string
  @Column('bigint', { name: 'authorised_paise', nullable: true, transformer: decimalText }) authorised!: string
  @Column('bigint', { name: 'captured_paise', nullable: true, transformer: decimalText }) captured!: string
  @Column('bigint', { name: 'refunded_paise', nullable: true, transformer: decimalText }) refunded!: string
  @Column('timestamptz', { name: 'updated_at', nullable: true }) updatedAt!: Date
}
