/** Injection tokens of what is no class. */
export const ROWS = Symbol('row store')
export const OPEN_ADDRESS = Symbol('opens sealed addresses')
