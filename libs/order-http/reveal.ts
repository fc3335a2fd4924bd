import { sealedText, type SealedText, type SealedTexts } from '#event-store'
import type { Json, JsonObject } from '#kernel'

/** Where an order's view holds what is sealed, and whether it is a text or JSON that was sealed. */
const PLACES = [
  { path: ['shippingAddress'], json: true },
  { path: ['cancellation', 'note'], json: false },
  { path: ['return', 'reason'], json: false },
] as const

/** The views with what is sealed in them readable, and without it where its subject's key was destroyed: one look-up for all of them. */
export const revealOrders = async (keys: SealedTexts, views: readonly JsonObject[]): Promise<readonly JsonObject[]> => {
  const found = views.flatMap((view, index) =>
    PLACES.flatMap(({ path, json }) => {
      const sealed = sealedText(valueAt(view, path))
      return sealed ? [{ index, path, json, sealed }] : []
    }),
  )
  if (found.length === 0) return views
  const opened = await keys.openAll(found.map(({ sealed }): SealedText => sealed))
  const shown = [...views]
  found.forEach(({ index, path, json }, at) => {
    const text = opened[at]
    const value = text === undefined || !json ? text : (JSON.parse(text) as Json)
    shown[index] = withValue(shown[index] ?? {}, path, value)
  })
  return shown
}

/** The answer to a change: an order's view, kept sealed. */
export const revealOrder = async (keys: SealedTexts, body: Json): Promise<Json> => {
  if (!isObject(body)) return body
  const [shown = body] = await revealOrders(keys, [body])
  return shown
}

type Path = readonly [string] | readonly [string, string]

const valueAt = (view: JsonObject, [first, second]: Path): Json | undefined => {
  const value = view[first]
  if (second === undefined) return value
  return value !== undefined && isObject(value) ? value[second] : undefined
}

/** Undefined leaves the member out. */
const withValue = (view: JsonObject, [first, second]: Path, value: Json | undefined): JsonObject => {
  const inner = view[first]
  const member = second === undefined ? value : inner !== undefined && isObject(inner) ? withValue(inner, [second], value) : inner
  const { [first]: _, ...rest } = view
  if (member === undefined) return rest
  // In its place, so that the answer reads as the contract does.
  return Object.fromEntries(Object.entries(view).map(([name, each]) => [name, name === first ? member : each]))
}

const isObject = (json: Json): json is JsonObject => typeof json === 'object' && json !== null && !Array.isArray(json)
