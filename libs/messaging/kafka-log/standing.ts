import type { Standing } from '../log.js'

/** What a member tells of itself, as the metadata of its committed offset: under the brokers' 4 KiB (`offset.metadata.max.bytes`). */
export interface ToldStanding extends Pick<Standing, 'deferred' | 'parked' | 'gap' | 'breaker' | 'waitingSince_ms'> {
  readonly toldAt_ms: number
}

const FORMAT = 'bahi/1'

export const writeStanding = ({ deferred, parked, gap, breaker, waitingSince_ms }: Standing, toldAt_ms: number): string =>
  JSON.stringify({ format: FORMAT, deferred, parked, gap, breaker, waitingSince_ms, toldAt_ms })

/** Undefined for another's metadata. */
export const readStanding = (metadata: string | null): ToldStanding | undefined => {
  if (!metadata?.startsWith(`{"format":"${FORMAT}"`)) return undefined
  return JSON.parse(metadata) as ToldStanding
}
