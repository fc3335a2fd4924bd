/** Injection tokens of what is no class. */
export const ROWS = Symbol('row store')
export const SEALED_TEXTS = Symbol('opens what is sealed')
export const LOG_DRIVER = Symbol('log driver')
export const READ_CACHE = Symbol('read cache')
export const CLOCK = Symbol('clock')
export const IDS = Symbol('ids')
export const ON_VISIBLE = Symbol('on visible')
