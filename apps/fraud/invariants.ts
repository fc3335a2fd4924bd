import { eventStoreHolds, type Invariant } from '#service'

export const invariants: readonly Invariant[] = [eventStoreHolds]
