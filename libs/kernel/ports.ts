/** Where time comes from. Nothing in `libs` or `apps` reads the system's clock another way. */
export interface Clock {
  /** Milliseconds since the epoch, UTC. */
  now(): number
  /** Resolves after `delay_ms`, or rejects with the signal's reason when it is aborted. */
  sleep(delay_ms: number, signal?: AbortSignal): Promise<void>
}

/** Where ids come from: UUIDv7 (RFC 9562), so that they sort by time. */
export interface Ids {
  next(): string
}

/** Where chance comes from: jitter, sampling, sandbox delays. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
}

/**
 * One database transaction, opaque to whoever passes it on. Stores of the same database recognise their own kind:
 * PostgreSQL's is `PgTransaction` of `#postgres`, the simulator has another.
 */
export interface Transaction {
  readonly kind: string
}

/**
 * Opens a transaction, commits when `work` resolves, rolls back when it rejects (and rejects with the same error). `work` may run more than once,
 * each time in a new transaction: it changes nothing but through `tx`.
 */
export interface Transactions {
  run<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
}
