import { table } from '#projections'
import { HistoryRow } from './history.entity.js'
import { OrderRow } from './order.entity.js'
import { PaymentRow } from './payment.entity.js'
import { ProductRow } from './product.entity.js'
import { StockRow } from './stock.entity.js'

export const orders = table(OrderRow, 'orderId')
export const payments = table(PaymentRow, 'orderId')
export const history = table(HistoryRow, 'orderId', 'stream', 'version')
export const products = table(ProductRow, 'sku')
export const stock = table(StockRow, 'sku')

export const ENTITIES = [OrderRow, PaymentRow, HistoryRow, ProductRow, StockRow]
