const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)/
const COMMENT = /^# (?:HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*)/

interface Family {
  readonly comments: string[]
  readonly samples: string[]
}

/**
 * Several apps' Prometheus texts as one: a metric's lines must be together and its `HELP` and `TYPE` once
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). Series do not collide, for each has its app as a label.
 */
export const mergeExpositions = (texts: readonly string[]): string => {
  const families = new Map<string, Family>()
  for (const text of texts) {
    let current = ''
    const described = new Set(families.keys())
    for (const line of text.split('\n')) {
      const comment = COMMENT.exec(line)?.[1]
      const name = comment ?? SAMPLE.exec(line)?.[1]
      if (name === undefined) continue
      // The samples of a histogram have suffixes: they belong to the family that was described last.
      current = comment ?? (name.startsWith(current) && current !== '' ? current : name)
      const family = families.get(current) ?? { comments: [], samples: [] }
      families.set(current, family)
      if (comment === undefined) family.samples.push(line)
      else if (!described.has(current)) family.comments.push(line)
    }
  }
  return [...families.values()].flatMap(({ comments, samples }) => [...comments, ...samples, '']).join('\n')
}
