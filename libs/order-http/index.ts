export * from './order.dto.js'
export * from './order-view.js'
export * from './reveal.js'
