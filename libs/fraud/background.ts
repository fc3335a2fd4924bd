import { NO_HISTORY, type Activity, type Background, type CustomerHistory, type Transaction } from './features.js'

/** At most this many activities are looked at per customer, device and address: beyond it, more does not make a transaction more suspect. */
export const MOST_ACTIVITIES = 64

/** How many of the latest confirmed orders make a customer's habit. */
export const MOST_HABITS = 100

export interface BackgroundData {
  readonly customers: ReadonlyMap<string, CustomerHistory>
  readonly byCustomer: ReadonlyMap<string, readonly Activity[]>
  readonly byDevice: ReadonlyMap<string, readonly Activity[]>
  readonly byAddress: ReadonlyMap<string, readonly Activity[]>
  /** `knownPlace(customerId, hash)` of devices and addresses with a confirmed order. */
  readonly known: ReadonlySet<string>
}

export const knownPlace = (customerId: string, hash: string): string => JSON.stringify([customerId, hash])

/** The background of a batch of transactions. Counting one makes those after it see it, as if each had been read alone. */
export class Backgrounds {
  readonly #counted = {
    customers: new Map<string, Activity[]>(),
    devices: new Map<string, Activity[]>(),
    addresses: new Map<string, Activity[]>(),
  }
  readonly #seen = new Map<string, number>()

  constructor(private readonly data: BackgroundData) {}

  of({ customerId, deviceHash, addressHash }: Transaction): Background {
    const { data } = this
    const customer = data.customers.get(customerId) ?? NO_HISTORY
    const seenAt = this.#seen.get(customerId)
    return {
      customer: customer.firstSeenAt === undefined && seenAt !== undefined ? { ...customer, firstSeenAt: seenAt } : customer,
      byCustomer: together(this.#counted.customers, data.byCustomer, customerId),
      byDevice: together(this.#counted.devices, data.byDevice, deviceHash),
      byAddress: together(this.#counted.addresses, data.byAddress, addressHash),
      deviceKnown: deviceHash !== undefined && data.known.has(knownPlace(customerId, deviceHash)),
      addressKnown: addressHash !== undefined && data.known.has(knownPlace(customerId, addressHash)),
    }
  }

  count({ customerId, deviceHash, addressHash, at }: Transaction): void {
    const activity = { at, customerId }
    push(this.#counted.customers, customerId, activity)
    push(this.#counted.devices, deviceHash, activity)
    push(this.#counted.addresses, addressHash, activity)
    if (!this.#seen.has(customerId)) this.#seen.set(customerId, at)
  }
}

const together = (
  counted: ReadonlyMap<string, readonly Activity[]>,
  read: ReadonlyMap<string, readonly Activity[]>,
  key: string | undefined,
): readonly Activity[] => (key === undefined ? [] : [...(counted.get(key) ?? []), ...(read.get(key) ?? [])].slice(0, MOST_ACTIVITIES))

const push = (into: Map<string, Activity[]>, key: string | undefined, activity: Activity): void => {
  if (key === undefined) return
  const list = into.get(key)
  if (list) list.unshift(activity)
  else into.set(key, [activity])
}
