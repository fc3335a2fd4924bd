import type { JsonObject, MessageContext } from '#kernel'
import type { Told } from './definition.js'

/**
 * What an activity knows when it returns. `unknown` is honest: no answer came, or the provider itself does not know yet. It is asked about
 * again, never guessed.
 */
export type ActivityOutcome =
  | { readonly outcome: 'succeeded'; readonly result: JsonObject }
  | { readonly outcome: 'refused'; readonly slug: string; readonly detail: string; readonly result?: JsonObject }
  | { readonly outcome: 'unknown'; readonly detail: string; readonly result?: JsonObject; readonly retryAfter_ms?: number }

export type OperatorAction =
  /** Tries again what waits for an operator: this step, or all. */
  | { readonly action: 'retry'; readonly step?: string }
  | { readonly action: 'compensate' }
  /** Goes on under another version of its definition. */
  | { readonly action: 'migrate'; readonly to: number }
  | {
      readonly action: 'resume'
      readonly step: string
      readonly outcome: 'succeeded' | 'refused'
      readonly evidence: string
      /** What the person says of it besides; what a step must be told is its definition's to say. */
      readonly told?: Told
    }

/** Everything that can happen to a saga. `id` is its idempotency key: the same input again has no second effect. */
export type SagaInput = { readonly id: string; readonly sagaId: string; readonly context: MessageContext } & (
  | {
      readonly kind: 'start'
      readonly type: string
      readonly correlationKey: string
      readonly data: JsonObject
      /** The saga whose step this one is, and the step's key. */
      readonly parent?: { readonly sagaId: string; readonly key: string }
    }
  /** The outcome of a command (its answer) or of an activity (its run), by the action's key. */
  | { readonly kind: 'outcome'; readonly key: string; readonly outcome: ActivityOutcome }
  | { readonly kind: 'message'; readonly name: string; readonly body: JsonObject }
  | { readonly kind: 'timer' }
  | {
      readonly kind: 'operator'
      readonly by: string
      readonly reason: string
      readonly operator: OperatorAction
    }
)

/** What an input came to. `noted`: it changed nothing, and the stream says why. `refused`: an operator asked for what cannot be. */
export type InputAnswer = { readonly version: number; readonly replayed: boolean } & (
  | { readonly disposition: 'applied' | 'noted' }
  | { readonly disposition: 'refused'; readonly slug: string; readonly detail: string; readonly lacks?: readonly string[] }
)
