/** Of a test or a hook that names none of its own: so long that only what hangs meets it, on the slowest machine too. */
export const DEFAULT_TIMEOUT_MS = 90_000
