/** Starts a PostgreSQL and leaves its URL in `BAHI_TEST_POSTGRES_URL`, unless one is there. */
export default function setup(): Promise<void>
