/** Injection tokens of what is no class. */
export const ROWS = Symbol('row store')
export const CLOSE = Symbol('closes what no module owns')
export const OPEN_ADDRESS = Symbol('opens sealed addresses')
