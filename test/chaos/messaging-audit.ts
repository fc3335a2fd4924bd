export interface Acknowledged {
  readonly key: string
  /** Counts the key's messages from 1. */
  readonly seq: number
}

export interface Findings {
  /** Acknowledged, without an effect. */
  readonly lost: number
  readonly doubled: number
  /** Took effect after a later one of its key. */
  readonly outOfOrder: number
  /** Took effect and was never sent. */
  readonly invented: number
}

/** Compares what the log acknowledged with what took effect, in the order in which it did. */
export const auditEffects = (acknowledged: readonly Acknowledged[], effects: readonly Acknowledged[]): Findings => {
  const nameOf = ({ key, seq }: Acknowledged): string => `${key} ${seq}`
  const sent = new Set(acknowledged.map(nameOf))
  const seen = new Set<string>()
  const last = new Map<string, number>()
  let [doubled, outOfOrder, invented] = [0, 0, 0]
  for (const effect of effects) {
    const name = nameOf(effect)
    if (!sent.has(name)) invented++
    if (seen.has(name)) doubled++
    seen.add(name)
    if (effect.seq < (last.get(effect.key) ?? 0)) outOfOrder++
    last.set(effect.key, Math.max(effect.seq, last.get(effect.key) ?? 0))
  }
  return { lost: [...sent].filter((name) => !seen.has(name)).length, doubled, outOfOrder, invented }
}
