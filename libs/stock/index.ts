export * from './reservation.js'
export * from './stock.js'
