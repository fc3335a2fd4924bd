import { deepStrictEqual } from 'node:assert'
import type { SagaBench, BenchOptions } from './bench.js'

/** A scenario on the bench, played once from its beginning to its end. */
export interface Playable extends Pick<SagaBench, 'transactions'> {
  play(): Promise<unknown>
  /** What must hold however it went: throws where it does not. */
  check(): Promise<void> | void
  /** What must come out the same wherever it was killed. */
  end?(): Promise<unknown> | unknown
}

/**
 * Plays a scenario whole, and then once for each of its transactions and each side of it, with the process killed there: before the commit,
 * when what it did outside has happened and nothing is written, and after it, when all is written and nobody was told. `make` gives a world of
 * its own to each. Answers how often it was killed. Throws where a play, its `check` or its `end` fails; the message says where it was killed.
 */
export const killedEverywhere = async (make: (crash?: BenchOptions['crash']) => Playable): Promise<number> => {
  const whole = make()
  await whole.play()
  await whole.check()
  if (whole.transactions === 0) throw new Error('nothing was played: there is no transaction to kill it at')
  const end = await whole.end?.()
  for (let at = 1; at <= whole.transactions; at++) {
    for (const when of ['before', 'after'] as const) {
      const play = make({ at, when })
      try {
        await play.play()
        await play.check()
        if (whole.end) deepStrictEqual(await play.end?.(), end)
      } catch (cause) {
        const said = cause instanceof Error ? cause.message : String(cause)
        throw new Error(`killed ${when} the commit of transaction ${at} of ${whole.transactions}: ${said}`, { cause })
      }
    }
  }
  return 2 * whole.transactions
}
