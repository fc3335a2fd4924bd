/** Injection tokens of what is no class. */
export const ROWS = Symbol('row store')
export const LOG_DRIVER = Symbol('log driver')
export const MESSAGING_POOL = Symbol('pool of the consumer store')
export const OPEN_ADDRESS = Symbol('opens sealed addresses')
