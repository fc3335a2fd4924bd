/** What one check of one app came to. Holds no secret and nothing personal. */
export interface Finding {
  readonly app: string
  readonly check: Check
  /** `warning`: it works, or cannot be told, and somebody should look. */
  readonly status: 'ok' | 'warning' | 'failed'
  readonly found: string
  /** What to do about it. */
  readonly next?: string
}

/** What a check says of the app that it looks at. */
export type Told = Omit<Finding, 'app'>

export const failed = (check: Check, found: string, next: string): Told => ({ check, status: 'failed', found, next })

export type Check =
  | 'platform'
  | 'configuration'
  | 'versions'
  | 'postgresql'
  | 'durability'
  | 'migrations'
  | 'clock'
  | 'keys'
  | 'relay'
  | 'log'
  | 'topics'
  | 'lag'
  | 'redis'
  | 'invariants'

/** How long one check may take. Longer ones are given up and reported. */
const PATIENCE_MS = 15_000

export class TookTooLong extends Error {
  constructor() {
    super(`no answer within ${PATIENCE_MS / 1_000} s`)
  }
}

export const patiently = async <T>(work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new TookTooLong()), PATIENCE_MS)))
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

interface Failure {
  readonly code?: unknown
  readonly message?: unknown
  readonly errors?: readonly unknown[]
}

export const codeOf = (error: unknown): string | undefined => {
  const { code, errors = [] } = error as Failure
  return typeof code === 'string' ? code : errors.length > 0 ? codeOf(errors[0]) : undefined
}

/** The first line of what an error says, without user and password of a URL. */
export const reasonOf = (error: unknown): string => {
  const { message, errors = [] } = error as Failure
  if (typeof message === 'string' && message !== '') return (message.split('\n', 1)[0] ?? '').replace(/\/\/[^@\s/]*@/g, '//')
  return errors.length > 0 ? reasonOf(errors[0]) : (codeOf(error) ?? 'an error that says nothing')
}
