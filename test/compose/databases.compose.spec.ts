import { describe, expect, it } from '@jest/globals'
import { ASK_KEY_RIGHTS, KEY_RIGHTS } from '../support/key-rights.js'
import { containersOf, exec } from './containers.js'

const ROLES = ['order_command', 'order_query', 'wallet', 'payment_saga', 'fraud', 'provider_sandbox']

/** A statement as an app's own role, by the network and with the password that the app has; what comes back, or the server's refusal. */
const ask = async (role: string, database: string, statement: string, whose = role.toUpperCase()): Promise<string> => {
  const [postgres] = await containersOf('postgres')
  if (postgres === undefined) throw new Error('postgres does not run')
  // The password is in that container's environment; it is named here, and in no argument.
  const shell = `PGPASSWORD=\${${whose}_DB_PASSWORD:-none} exec psql -h postgres -U ${role} -d ${database} -qAtX -c "$1" 2>&1`
  return exec(postgres, 'bash', '-c', shell, 'bash', statement).catch((error: { stdout: string }) => error.stdout.trim())
}

const TABLES = `SELECT count(*) > 0 FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`

describe.each(ROLES)('the role of %s', (role) => {
  it('reads its own database, and no other app’s', async () => {
    expect(await ask(role, role, TABLES)).toBe('t')
    for (const other of ROLES.filter((each) => each !== role))
      expect(await ask(role, other, TABLES)).toMatch(new RegExp(`permission denied for database "${other}"`))
  })

  it('has of the keys of persons what its app needs', async () => {
    const allowed = KEY_RIGHTS[role]
    const answer = await ask(role, 'keys', ASK_KEY_RIGHTS)
    if (allowed) expect(answer).toBe(allowed.join(' '))
    else expect(answer).toMatch(/permission denied for database "keys"/)
  })

  it('gets in with its password only, and rules nothing', async () => {
    const can = `SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = current_user`
    expect(await ask(role, role, can)).toBe('f')
    expect(await ask(role, role, can, 'NOT_THE')).toMatch(/password authentication failed/)
  })
})
