/** Injection tokens of what is no class. */
export const ROWS = Symbol('row store')
export const SEALED_TEXTS = Symbol('opens what is sealed')
