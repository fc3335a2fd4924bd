import type { BooksSettings } from './books.js'
import type { WebhookSettings } from './webhooks.js'

export const POOL = Symbol("the books' connections")
export const CLOCK = Symbol('clock')
export const SETTINGS = Symbol('settings')

export interface SandboxSettings {
  readonly books: BooksSettings
  readonly webhooks: WebhookSettings
  /** How long a call that gets no answer hangs before its connection is cut. */
  readonly hang_ms: number
  /** Where a payer's browser reaches the sandbox, without a slash at the end. */
  readonly publicUrl: string
}
