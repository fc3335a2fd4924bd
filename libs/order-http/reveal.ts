import { sealedText, type Opener, type SealedTexts } from '#event-store'
import { isJsonObject, type Json, type JsonObject } from '#kernel'
import { masked } from '#platform'

/** Where an order's view holds what is sealed, and whether it is a text or JSON that was sealed. */
const PLACES = [
  { path: ['shippingAddress'], json: true },
  { path: ['cancellation', 'note'], json: false },
  { path: ['return', 'reason'], json: false },
] as const

/**
 * The views with what is sealed in them readable, and without it where its subject's key was destroyed: one look-up for all of them. Whole for
 * who owns the order; for anybody else the phone is masked, and so are numbers in what was written.
 */
export const revealOrders = async (keys: SealedTexts, views: readonly JsonObject[], caller: string): Promise<readonly JsonObject[]> => {
  const sealed = views.flatMap((view) => PLACES.flatMap(({ path }) => sealedText(valueAt(view, path)) ?? []))
  if (sealed.length === 0) return views
  const texts = (await keys.openAll(sealed)).values()
  return views.map((view) => opened(view, () => texts.next().value, view['customerId'] === caller))
}

/** The answer to a change: an order's view, kept sealed. */
export const revealOrder = (open: Opener, body: Json, caller: string): Json =>
  isJsonObject(body) ? opened(body, open, body['customerId'] === caller) : body

/** `open` is asked for each sealed text, in the order of their places. */
const opened = (view: JsonObject, open: Opener, own: boolean): JsonObject =>
  PLACES.reduce((shown, { path, json }) => {
    const sealed = sealedText(valueAt(view, path))
    if (!sealed) return shown
    const text = open(sealed)
    if (text === undefined) return withValue(shown, path, undefined)
    if (!json) return withValue(shown, path, own ? text : masked(text))
    const value = JSON.parse(text) as Json
    return withValue(shown, path, own ? value : withMaskedPhone(value))
  }, view)

/** `+91******3210`: enough to ask somebody whether it is theirs. */
const withMaskedPhone = (address: Json): Json => {
  if (!isJsonObject(address) || typeof address['phone'] !== 'string') return address
  return { ...address, phone: address['phone'].replace(/^(\+91)?.*(.{4})$/, '$1******$2') }
}

type Path = readonly [string] | readonly [string, string]

const valueAt = (view: JsonObject, [first, second]: Path): Json | undefined => {
  const value = view[first]
  if (second === undefined) return value
  return value !== undefined && isJsonObject(value) ? value[second] : undefined
}

/** Undefined leaves the member out. */
const withValue = (view: JsonObject, [first, second]: Path, value: Json | undefined): JsonObject => {
  const inner = view[first]
  const member = second === undefined ? value : inner !== undefined && isJsonObject(inner) ? withValue(inner, [second], value) : inner
  const { [first]: _, ...rest } = view
  if (member === undefined) return rest
  // In its place, so that the answer reads as the contract does.
  return Object.fromEntries(Object.entries(view).map(([name, each]) => [name, name === first ? member : each]))
}
