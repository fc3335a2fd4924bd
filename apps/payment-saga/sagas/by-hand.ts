import type { ByHand } from '#saga'

/** A result that only a person knows who settles the step: these, told as they are. */
export const tells =
  <Data>(...names: readonly string[]): ByHand<Data> =>
  (told) => {
    const lacks = names.filter((name) => told[name] === undefined)
    return lacks.length > 0 ? { lacks } : { result: Object.fromEntries(names.map((name) => [name, told[name] ?? ''])) }
  }
