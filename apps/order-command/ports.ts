/** Tokens under which Nest provides the ports that the handlers take. */
export const CLOCK = Symbol('clock')
export const IDS = Symbol('ids')
export const RULES = Symbol('rules')
export const SUBJECT_KEYS = Symbol('subject keys')
export const SEALING = Symbol('randomness for sealing')
export const EVENT_STORE = Symbol('event store')
