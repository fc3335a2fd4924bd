import type { Origin } from '../cloud-events.js'
import type { Mark } from './store.js'

/** A source has a new incarnation only after a restore; of older ones the last few are remembered, for relays that lag behind. */
const MOST_MARKS = 64

/** How far each source was read in one partition: an inbox of constant size. */
export class Marks {
  readonly #marks: Map<string, Mark>

  constructor(marks: readonly Mark[] = []) {
    this.#marks = new Map(marks.map((mark) => [`${mark.incarnation} ${mark.source}`, mark]))
  }

  copy(): Marks {
    return new Marks(this.list())
  }

  list(): readonly Mark[] {
    return [...this.#marks.values()]
  }

  /** True, and remembered, when it is above what was read of its source; false for a repeat. Without an incarnation nothing is known. */
  pass(source: string, { incarnation, position, ordinal }: Origin): boolean {
    if (incarnation === '') return true
    const name = `${incarnation} ${source}`
    const mark = this.#marks.get(name)
    if (mark && (position < mark.position || (position === mark.position && ordinal <= mark.ordinal))) return false
    // Set anew at the end: the first of the map is the one unused for longest.
    this.#marks.delete(name)
    this.#marks.set(name, { source, incarnation, position, ordinal })
    if (this.#marks.size > MOST_MARKS) for (const oldest of this.#marks.keys()) return this.#marks.delete(oldest)
    return true
  }
}
