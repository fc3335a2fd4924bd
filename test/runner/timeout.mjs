/** Of a test or a hook that names none of its own. */
export const DEFAULT_TIMEOUT_MS = 30_000
