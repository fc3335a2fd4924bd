/**
 * A decision against the command: a value, not an error, and recorded as the command's answer.
 * `kind` says what sort of no it is; only the HTTP edge turns it into a status.
 */
export interface Refusal {
  readonly refused: true
  /** `conflict`: the resource is in a state that does not allow it. `rule`: a business rule forbids it. */
  readonly kind: 'conflict' | 'rule'
  /** The problem's name on the wire, kebab-case: `insufficient-funds`. */
  readonly slug: string
  /** A sentence for the person who asked; no personal data. */
  readonly detail: string
}

export const refuse = (slug: string, detail: string, kind: Refusal['kind'] = 'rule'): Refusal => ({ refused: true, kind, slug, detail })

export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === 'object' && value !== null && (value as { refused?: unknown }).refused === true
