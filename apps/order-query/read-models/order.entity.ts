import type { CancellationReason, OrderLine, PaymentChoice, Sealed } from '#contracts'
import type { OrderedUnits, OrderStatus } from '#order'
import { decimalText } from '#projections'
import { Column, Entity, PrimaryColumn } from 'typeorm'

export interface Cancellation {
  readonly reason: CancellationReason
  readonly note?: Sealed
  readonly at: string
  readonly by: string
}

/** An order as its own events tell it. Amounts are paise. A row without `placedAt` is one whose first event is still to come: nobody sees it. */
@Entity('orders')
export class OrderRow {
  @PrimaryColumn('text', { name: 'order_id' }) orderId!: string
  @Column('text', { name: 'customer_id', nullable: true }) customerId!: string
  @Column('text', { nullable: true }) status!: OrderStatus
  @Column('int', { nullable: true }) version!: number
  @Column('jsonb', { nullable: true }) items!: readonly OrderLine[]
  @Column('bigint', { name: 'subtotal_paise', nullable: true, transformer: decimalText }) subtotal!: string
  @Column('bigint', { name: 'cgst_paise', nullable: true, transformer: decimalText }) cgst!: string
  @Column('bigint', { name: 'sgst_paise', nullable: true, transformer: decimalText }) sgst!: string
  @Column('bigint', { name: 'igst_paise', nullable: true, transformer: decimalText }) igst!: string
  @Column('bigint', { name: 'shipping_paise', nullable: true, transformer: decimalText }) shipping!: string
  @Column('bigint', { name: 'grand_total_paise', nullable: true, transformer: decimalText }) grandTotal!: string
  @Column('jsonb', { name: 'shipping_address', nullable: true }) shippingAddress!: Sealed
  /** What the customer chose, without a sealed instrument. */
  @Column('jsonb', { name: 'payment_choice', nullable: true }) paymentChoice!: Omit<PaymentChoice, 'instrument'>
  @Column('jsonb', { nullable: true }) cancellation!: Cancellation | null
  @Column('text', { nullable: true }) carrier!: string | null
  @Column('text', { name: 'tracking_number', nullable: true }) trackingNumber!: string | null
  @Column('timestamptz', { name: 'shipped_at', nullable: true }) shippedAt!: Date | null
  @Column('timestamptz', { name: 'out_for_delivery_at', nullable: true }) outForDeliveryAt!: Date | null
  @Column('timestamptz', { name: 'delivered_at', nullable: true }) deliveredAt!: Date | null
  @Column('jsonb', { name: 'return_items', nullable: true }) returnItems!: readonly OrderedUnits[] | null
  @Column('jsonb', { name: 'return_reason', nullable: true }) returnReason!: Sealed | null
  @Column('timestamptz', { name: 'return_requested_at', nullable: true }) returnRequestedAt!: Date | null
  @Column('timestamptz', { name: 'return_accepted_at', nullable: true }) returnAcceptedAt!: Date | null
  @Column('bigint', { name: 'refund_paise', nullable: true, transformer: decimalText }) refund!: string | null
  @Column('text', { name: 'search_text', nullable: true }) searchText!: string
  @Column('timestamptz', { name: 'placed_at', nullable: true }) placedAt!: Date
  @Column('timestamptz', { name: 'updated_at', nullable: true }) updatedAt!: Date
}
