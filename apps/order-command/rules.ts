import { keyedHash } from '#platform'
import { gstStateCode, type GstRateRow } from '#order'
import type { Paise } from '#kernel'
import type { ShippingAddressDto } from '#order-http'
import type { CodRow, PlanRow } from '#payment'

/** What the merchant's settings say about orders, and the key that guards what is compared in them. */
export interface Rules {
  readonly sellerState: string
  readonly shipping: Paise
  readonly gstRates: readonly GstRateRow[]
  /** Where and up to what amount the courier collects. */
  readonly cod: readonly CodRow[]
  readonly plans: readonly PlanRow[]
  /** Keys the hashes of addresses and devices. */
  readonly fraudHashKey: string
}

/**
 * Equal for addresses that differ in case, spacing, punctuation or Unicode form only. Name and phone are left out: what fraud wants to
 * recognise is one door with many names.
 */
export const addressHash = (key: string, { line1, line2, city, state, pincode }: ShippingAddressDto): string =>
  keyedHash(key, ['address', `${line1} ${line2 ?? ''}`, city, gstStateCode(state) ?? state, pincode].map(normalised).join('|'))

export const deviceHash = (key: string, deviceId: string): string => keyedHash(key, `device|${deviceId}`)

const normalised = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '')
