// CPU time that the platform's process and its PostgreSQL have used, from /proc: what an order costs, however busy the machine is otherwise.
// And what the machine itself had: on a virtual one, time that its host gave to others (`steal`) makes every wait longer.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Of Linux on every architecture that Node runs on. */
const TICK_MS = 10

/** Of a process: `used_ms` of the processor, by itself; undefined where there is no such one, or no /proc. */
export const stat = async (pid) => {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return {
    parent: Number(fields[1]),
    used_ms: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
    ended_ms: (Number(fields[13]) + Number(fields[14])) * TICK_MS,
  }
}

/** `{ platform_ms, postgres_ms, steal_ms, all_ms }`, the last two over all cores; undefined where there is no /proc. */
export const cpuTime = async (platformPid, dataFolder) => {
  if (process.platform !== 'linux') return undefined
  const postmaster = Number((await readFile(join(dataFolder, 'postmaster.pid'), 'utf8')).split('\n')[0])
  const platform = await stat(platformPid)
  let postgres_ms = 0
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const found = await stat(name)
    if (Number(name) === postmaster) postgres_ms += found.used_ms + found.ended_ms
    else if (found?.parent === postmaster) postgres_ms += found.used_ms
  }
  const cores = (await readFile('/proc/stat', 'utf8')).split('\n')[0].trim().split(/\s+/).slice(1, 9).map(Number)
  const all_ms = cores.reduce((sum, ticks) => sum + ticks, 0) * TICK_MS
  return { platform_ms: platform.used_ms, postgres_ms, steal_ms: cores[7] * TICK_MS, all_ms }
}
