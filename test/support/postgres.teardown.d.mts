/** Ends the PostgreSQL that `setup` started. */
export default function teardown(): Promise<void>
