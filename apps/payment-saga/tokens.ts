/** Injection tokens of what the app stands on. */
export const STORE = Symbol('event store')
export const SAGAS = Symbol('saga store')
export const CLOCK = Symbol('clock')
export const IDS = Symbol('ids')
/** The shop's page for who comes back from a bank, if there is one. */
export const RETURN_URL = Symbol('return url')
export const TRANSACTIONS = Symbol('transactions')
