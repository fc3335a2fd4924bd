import type { JWK } from 'jose'

/** The key pair that signs development tokens, as JWKs. The private one never leaves the process but for its table. */
export interface IssuerKey {
  readonly kid: string
  readonly privateJwk: JWK
  readonly publicJwk: JWK
}

/** Where the key is kept, so that tokens stay valid over restarts. */
export interface IssuerKeyStore {
  /** The key in use, or the one that `make` gives, stored: two that ask at once get the same. */
  loadOrCreate(make: () => Promise<IssuerKey>): Promise<IssuerKey>
}
