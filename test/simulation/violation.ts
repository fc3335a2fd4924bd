/** What must always hold, by the numbers of docs/architecture.md. */
export type Invariant = 1 | 2 | 3 | 4 | 5 | 6 | 7

/** An invariant does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation'
  constructor(
    readonly invariant: Invariant,
    readonly what: string,
  ) {
    super(`invariant ${invariant}: ${what}`)
  }
}
