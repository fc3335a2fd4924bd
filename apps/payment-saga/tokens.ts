/** Injection tokens of what the app stands on. */
export const STORE = Symbol('event store')
export const SAGAS = Symbol('saga store')
export const CLOCK = Symbol('clock')
export const IDS = Symbol('ids')
export const TRANSACTIONS = Symbol('transactions')
