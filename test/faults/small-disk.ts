import { execFileSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { newHome } from '../chaos/running-process.js'

/** A disk that a test may fill. */
export interface SmallDisk {
  readonly folder: string
  /** To the last page. */
  fill(): void
  /** Gives back what `fill` took. */
  makeRoom(): void
  unmount(): void
}

/** A tmpfs of so many MiB. Undefined where this user may not mount one: nothing that could be installed grants it, so with CI=true too it is said and skipped. */
export const mountSmallDisk = (size_MiB: number): SmallDisk | undefined => {
  const folder = newHome()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size_MiB}m,mode=755`, 'tmpfs', folder], { stdio: 'pipe', timeout: 10_000 })
  } catch {
    rmSync(folder, { recursive: true })
    console.warn('skipped: needs the right to mount a tmpfs (Linux, root)')
    return undefined
  }
  const ballast = join(folder, 'ballast')
  const makeRoom = (): void => rmSync(ballast, { force: true })
  return {
    folder,
    fill() {
      const file = openSync(ballast, 'a')
      try {
        for (const size of [1 << 20, 1 << 12]) {
          try {
            for (;;) writeSync(file, Buffer.alloc(size))
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
          }
        }
      } finally {
        closeSync(file)
      }
    },
    makeRoom,
    unmount() {
      makeRoom()
      execFileSync('umount', [folder], { timeout: 10_000 })
      rmSync(folder, { recursive: true })
    },
  }
}
