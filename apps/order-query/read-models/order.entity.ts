import type { CancellationReason, OrderLine, PaymentChoice, Sealed } from '#contracts'
import { decimalText } from '#projections'
import { Column, Entity, PrimaryColumn } from 'typeorm'

/** In the order in which an order goes through them. */
export const ORDER_STATUSES = [
  'PLACED',
  'UNDER_REVIEW',
  'CONFIRMED',
  'PACKED',
  'SHIPPED',
  'OUT_FOR_DELIVERY',
  'DELIVERED',
  'CANCELLED',
  'RETURN_REQUESTED',
  'RETURNED',
] as const
export type OrderStatus = (typeof ORDER_STATUSES)[number]

export interface Cancellation {
  readonly reason: CancellationReason
  readonly note?: string
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
  /** What the customer chose; the sealed instrument stays with those who charge it. */
  @Column('jsonb', { name: 'payment_choice', nullable: true }) paymentChoice!: Omit<PaymentChoice, 'instrument'>
  @Column('jsonb', { nullable: true }) cancellation!: Cancellation | null
  @Column('text', { name: 'search_text', nullable: true }) searchText!: string
  @Column('timestamptz', { name: 'placed_at', nullable: true }) placedAt!: Date
  @Column('timestamptz', { name: 'updated_at', nullable: true }) updatedAt!: Date
}
