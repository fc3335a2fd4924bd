import type { Paise } from '#kernel'

/**
 * Who made a hold and may end it: `sub:<caller>` over HTTP, `saga:<id>` by message. The prefixes keep a caller from being taken for a saga.
 */
export type HoldMaker = `sub:${string}` | `saga:${string}`

export interface Hold {
  readonly holdId: string
  readonly amount: Paise
  readonly madeBy: HoldMaker
  readonly reference: string
  /** From then on it can only be released, milliseconds since the epoch. Absent: it stays open. */
  readonly expiresAt_ms?: number
}

/**
 * The open holds, persistent: a change copies the few recent changes, not all the holds, so that a hot wallet with thousands of open holds
 * stays cheap. `recent` lies over `base`; an undefined in it is a hold that ended.
 */
export interface OpenHolds {
  readonly size: number
  readonly base: ReadonlyMap<string, Hold>
  readonly recent: ReadonlyMap<string, Hold | undefined>
}

export const NO_HOLDS: OpenHolds = { size: 0, base: new Map(), recent: new Map() }

export const findHold = ({ base, recent }: OpenHolds, holdId: string): Hold | undefined =>
  recent.has(holdId) ? recent.get(holdId) : base.get(holdId)

export const openHolds = (holds: OpenHolds): readonly Hold[] => [...merged(holds).values()]

export const holdsOf = (list: readonly Hold[]): OpenHolds => ({
  size: list.length,
  base: new Map(list.map((hold) => [hold.holdId, hold])),
  recent: new Map(),
})

export const withHold = (holds: OpenHolds, hold: Hold): OpenHolds => change(holds, hold.holdId, hold, holds.size + 1)

export const withoutHold = (holds: OpenHolds, holdId: string): OpenHolds => change(holds, holdId, undefined, holds.size - 1)

const change = ({ base, recent }: OpenHolds, holdId: string, hold: Hold | undefined, size: number): OpenHolds => {
  const changes = new Map(recent).set(holdId, hold)
  const next = { size, base, recent: changes }
  // √n balances copying the changes each time against merging them now and then.
  return changes.size <= Math.max(16, Math.sqrt(base.size)) ? next : { size, base: merged(next), recent: new Map() }
}

const merged = ({ base, recent }: OpenHolds): Map<string, Hold> => {
  const all = new Map(base)
  for (const [holdId, hold] of recent) {
    if (hold) all.set(holdId, hold)
    else all.delete(holdId)
  }
  return all
}

export type HoldEnd = 'captured' | 'released' | 'barred'

/**
 * The last holds that ended, at least `generation` and fewer than twice as many: a full generation becomes the older one, and the one
 * before it is forgotten. So a wallet's state does not grow with its history.
 */
export interface Ended {
  readonly young: readonly (readonly [holdId: string, end: HoldEnd])[]
  readonly old: readonly (readonly [holdId: string, end: HoldEnd])[]
}

export const NONE_ENDED: Ended = { young: [], old: [] }

export const remember = ({ young, old }: Ended, holdId: string, end: HoldEnd, generation: number): Ended => {
  const grown = [...young, [holdId, end] as const]
  return grown.length < generation ? { young: grown, old } : { young: [], old: grown }
}

/** Linear, but only asked about a hold that is not open. */
export const recall = ({ young, old }: Ended, holdId: string): HoldEnd | undefined =>
  (young.find(([id]) => id === holdId) ?? old.find(([id]) => id === holdId))?.[1]
