import type pg from 'pg'
import type { IssuerKey, IssuerKeyStore } from './keys.js'

interface Row {
  kid: string
  private_jwk: IssuerKey['privateJwk']
  public_jwk: IssuerKey['publicJwk']
}

const SELECT = 'SELECT kid, private_jwk, public_jwk FROM dev_issuer_key'
const INSERT = 'INSERT INTO dev_issuer_key (kid, private_jwk, public_jwk) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING'

export const pgIssuerKeys = (pool: pg.Pool): IssuerKeyStore => ({
  async loadOrCreate(make) {
    const found = await pool.query<Row>(SELECT)
    if (found.rows[0]) return keyOf(found.rows[0])
    const made = await make()
    await pool.query(INSERT, [made.kid, JSON.stringify(made.privateJwk), JSON.stringify(made.publicJwk)])
    const kept = await pool.query<Row>(SELECT)
    return kept.rows[0] ? keyOf(kept.rows[0]) : made
  },
})

const keyOf = (row: Row): IssuerKey => ({ kid: row.kid, privateJwk: row.private_jwk, publicJwk: row.public_jwk })

export const memoryIssuerKeys = (): IssuerKeyStore => {
  let key: Promise<IssuerKey> | undefined
  return { loadOrCreate: (make) => (key ??= make()) }
}
