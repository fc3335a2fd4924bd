import type { KubeObject } from './objects.js'

/** A copy of the objects with one of them changed: `planted(objects, 'Service', 'wallet', (service) => …)`. */
export const planted = (
  objects: readonly KubeObject[],
  kind: string,
  name: string,
  change: (object: never) => void,
): readonly KubeObject[] => {
  const copy = structuredClone(objects)
  const found = copy.find((each) => each.kind === kind && each.metadata.name.startsWith(name))
  if (!found) throw new Error(`no ${kind} ${name} to plant in`)
  change(found as never)
  return copy
}
