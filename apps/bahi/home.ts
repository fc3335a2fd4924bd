import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A mistake that the person at the keyboard can mend: printed as one line, exit 1. */
export class StartRefused extends Error {}

/** What is made once and kept: keys and passwords, readable by the owner alone. */
export interface Secrets {
  readonly masterKey: string
  readonly fraudHashKey: string
  readonly providerApiKey: string
  readonly providerWebhookSecret: string
  readonly databasePassword: string
}

/** The folder `.bahi`: made where it is missing. */
export const openHome = (home: string): void => {
  try {
    mkdirSync(home, { recursive: true, mode: 0o755 })
    accessSync(home, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new StartRefused(
      `cannot write to ${home} (${(error as NodeJS.ErrnoException).code}): make it writable, or set BAHI_HOME to a folder that is`,
    )
  }
}

export const readSecrets = (home: string): Secrets => {
  const file = join(home, 'secrets.json')
  if (!existsSync(file)) {
    const secret = () => randomBytes(32).toString('base64')
    const fresh: Secrets = {
      masterKey: secret(),
      fraudHashKey: secret(),
      providerApiKey: secret(),
      providerWebhookSecret: secret(),
      databasePassword: randomBytes(24).toString('base64url'),
    }
    writeFileSync(file, JSON.stringify(fresh, null, 2), { mode: 0o600 })
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Secrets
}

/** One start per folder: two would stop each other's database. Answers how to let go. */
export const lockHome = (home: string): (() => void) => {
  const file = join(home, 'running.pid')
  for (let attempt = 1; ; attempt++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' })
      return () => rmSync(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === LOCK_ATTEMPTS) throw error
    }
    const pid = Number(readFileSync(file, 'utf8'))
    if (pid !== process.pid && isBahi(pid))
      throw new StartRefused(`Bahi already runs from ${home} as process ${pid}: stop it first, or set BAHI_HOME to another folder`)
    // Left by one that was killed.
    rmSync(file, { force: true })
  }
}

const LOCK_ATTEMPTS = 3

/** The process that runs from this home, if one does. */
export const runningFrom = (home: string): number | undefined => {
  const file = join(home, 'running.pid')
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  return pid && isBahi(pid) ? pid : undefined
}

const isBahi = (pid: number): boolean => {
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8', timeout: 5_000 }).includes('apps/bahi/main')
  } catch {
    return false
  }
}
