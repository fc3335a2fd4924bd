import { ZERO, type Paise } from '#kernel'

/** What is scored. Address and device are keyed hashes: equal ones can be seen to be equal, and nothing more. */
export interface Transaction {
  readonly customerId: string
  readonly amount: Paise
  readonly method: string
  readonly addressHash?: string
  readonly deviceHash?: string
  /** When it was placed, milliseconds since the epoch. */
  readonly at: number
}

/** What is known beside the transaction itself, of the time before it. */
export interface Background {
  readonly customer: CustomerHistory
  /** Transactions of the last day, the newest first, bounded; of the customer, and of whoever used this device or address. */
  readonly byCustomer: readonly Activity[]
  readonly byDevice: readonly Activity[]
  readonly byAddress: readonly Activity[]
  /** The customer has a confirmed order from this device, to this address. */
  readonly deviceKnown: boolean
  readonly addressKnown: boolean
}

export interface CustomerHistory {
  /** Of the latest confirmed orders. */
  readonly confirmed: { readonly count: number; readonly total: Paise; readonly max: Paise }
  /** When payments of the last day failed, the newest first, bounded. */
  readonly failedPaymentsAt: readonly number[]
  /** When the first transaction was seen. */
  readonly firstSeenAt?: number
}

export interface Activity {
  readonly at: number
  readonly customerId: string
}

export const NO_HISTORY: CustomerHistory = { confirmed: { count: 0, total: ZERO, max: ZERO }, failedPaymentsAt: [] }

export const WINDOWS_MS = { perMinute: 60_000, per10Minutes: 600_000, perHour: 3_600_000, perDay: 86_400_000 } as const
export const DAY_MS = WINDOWS_MS.perDay

/** Clocks of different machines differ: what was placed a little later still counts as before. */
export const CLOCK_SKEW_MS = 60_000

/** From how many confirmed orders on an amount is held against them. */
const ORDERS_FOR_A_HABIT = 3

/** India has one time zone and no summer time: UTC+05:30. */
const IST_OFFSET_MS = 19_800_000

/** Numbers only (yes is 1), so that a scorecard's rows and a trained model read them alike. */
export interface Features {
  readonly amount_paise: number
  /** The amount, when the customer has no confirmed order and pays by other means than a wallet already funded; else 0. */
  readonly firstOrderAmount_paise: number
  /** Against the customer's confirmed orders; 0 while there are too few of them. */
  readonly amountToMean: number
  readonly amountToMax: number
  readonly newCustomer: number
  readonly customerAge_days: number
  readonly newDevice: number
  readonly newAddress: number
  /** 0-23 in India. */
  readonly hour: number
  /** 1 from midnight to 5 in India. */
  readonly night: number
  /** How many others came before it, in each window. */
  readonly customerPerMinute: number
  readonly customerPer10Minutes: number
  readonly customerPerHour: number
  readonly customerPerDay: number
  readonly devicePerMinute: number
  readonly devicePer10Minutes: number
  readonly devicePerHour: number
  readonly devicePerDay: number
  readonly addressPerMinute: number
  readonly addressPer10Minutes: number
  readonly addressPerHour: number
  readonly addressPerDay: number
  /** Customers seen on this device in the last day, this one included. */
  readonly customersOnDevice: number
  readonly failedPaymentsPerHour: number
  readonly failedPaymentsPerDay: number
  readonly byCard: number
  readonly onDelivery: number
}

export type FeatureName = keyof Features

export const featuresOf = (transaction: Transaction, background: Background): Features => {
  const { customer, byCustomer, byDevice, byAddress } = background
  const amount_paise = Number(transaction.amount)
  const newCustomer = customer.confirmed.count === 0
  const habit = customer.confirmed.count >= ORDERS_FOR_A_HABIT
  const hour = Math.floor((transaction.at + IST_OFFSET_MS) / 3_600_000) % 24
  const counts = (activities: readonly Activity[], window_ms: number) => activities.filter(within(transaction.at, window_ms)).length
  const failures = (window_ms: number) => customer.failedPaymentsAt.filter((at) => within(transaction.at, window_ms)({ at })).length
  const onDevice = byDevice.filter(within(transaction.at, DAY_MS)).map(({ customerId }) => customerId)
  return {
    amount_paise,
    firstOrderAmount_paise: newCustomer && transaction.method !== 'wallet' ? amount_paise : 0,
    amountToMean: habit ? ratio(amount_paise * customer.confirmed.count, Number(customer.confirmed.total)) : 0,
    amountToMax: habit ? ratio(amount_paise, Number(customer.confirmed.max)) : 0,
    newCustomer: Number(newCustomer),
    customerAge_days: customer.firstSeenAt === undefined ? 0 : Math.max(0, (transaction.at - customer.firstSeenAt) / DAY_MS),
    newDevice: Number(transaction.deviceHash !== undefined && !background.deviceKnown),
    newAddress: Number(transaction.addressHash !== undefined && !background.addressKnown),
    hour,
    night: Number(hour < 5),
    customerPerMinute: counts(byCustomer, WINDOWS_MS.perMinute),
    customerPer10Minutes: counts(byCustomer, WINDOWS_MS.per10Minutes),
    customerPerHour: counts(byCustomer, WINDOWS_MS.perHour),
    customerPerDay: counts(byCustomer, WINDOWS_MS.perDay),
    devicePerMinute: counts(byDevice, WINDOWS_MS.perMinute),
    devicePer10Minutes: counts(byDevice, WINDOWS_MS.per10Minutes),
    devicePerHour: counts(byDevice, WINDOWS_MS.perHour),
    devicePerDay: counts(byDevice, WINDOWS_MS.perDay),
    addressPerMinute: counts(byAddress, WINDOWS_MS.perMinute),
    addressPer10Minutes: counts(byAddress, WINDOWS_MS.per10Minutes),
    addressPerHour: counts(byAddress, WINDOWS_MS.perHour),
    addressPerDay: counts(byAddress, WINDOWS_MS.perDay),
    customersOnDevice: transaction.deviceHash === undefined ? 0 : new Set([transaction.customerId, ...onDevice]).size,
    failedPaymentsPerHour: failures(WINDOWS_MS.perHour),
    failedPaymentsPerDay: failures(WINDOWS_MS.perDay),
    byCard: Number(transaction.method === 'card'),
    onDelivery: Number(transaction.method === 'cod'),
  }
}

const within =
  (at: number, window_ms: number) =>
  (other: { readonly at: number }): boolean =>
    other.at > at - window_ms && other.at <= at + CLOCK_SKEW_MS

const ratio = (part: number, whole: number): number => (whole > 0 ? part / whole : 0)
