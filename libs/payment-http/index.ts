export * from './offer-rows.js'
export * from './payment.dto.js'
export * from './sealed-payment.js'
