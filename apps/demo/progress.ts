import cliProgress from 'cli-progress'

export interface Progress {
  tick(): void
  done(): void
}

const SILENT: Progress = { tick: () => undefined, done: () => undefined }

/** Of `total` ticks: a bar on a terminal, elsewhere a plain line about every fifth of the way, or nothing. */
export const showProgress = (name: string, total: number, as: 'bar' | 'lines' | 'none', print: (line: string) => void): Progress => {
  if (as === 'none') return SILENT
  if (as === 'lines') return linesOf(name, total, print)
  const bar = new cliProgress.SingleBar(
    { format: `${name.padEnd(12)} {bar} {value}/{total}`, hideCursor: true },
    cliProgress.Presets.shades_classic,
  )
  bar.start(total, 0)
  return { tick: () => bar.increment(), done: () => bar.stop() }
}

const linesOf = (name: string, total: number, print: (line: string) => void): Progress => {
  print(`${name} ...`)
  let count = 0
  const tick = (): void => {
    count++
    if (count % Math.ceil(total / 5) === 0) print(`  ${count} of ${total}`)
  }
  return { tick, done: () => undefined }
}
