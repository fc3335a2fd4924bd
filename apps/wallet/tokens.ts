/** Injection token of the keys of persons. */
export const SUBJECT_KEYS = Symbol('subject keys')
