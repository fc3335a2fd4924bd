import { createHash } from 'node:crypto'
import type { DataSource, EntityMetadata } from 'typeorm'
import { groupRows, storableJson, type AppliedVersion, type RowGroup, type RowStore, type Table } from './rows.js'
import { asTypeorm } from './transactions.js'

/** PostgreSQL 18 gives the row as it was (`old`) in RETURNING, which saves the round trip that would read and lock it first. */
const ADVANCE = {
  name: 'projections/advance',
  text: `
    INSERT INTO applied_versions AS applied (stream, incarnation, version)
    SELECT stream, incarnation, version FROM unnest($1::text[], $2::text[], $3::bigint[]) AS arrived (stream, incarnation, version)
    ON CONFLICT (stream) DO UPDATE SET incarnation = excluded.incarnation, version = excluded.version
      WHERE (applied.incarnation, applied.version) < (excluded.incarnation, excluded.version)
    RETURNING stream, old.incarnation, old.version`,
}

const APPLIED = 'SELECT stream, incarnation, version FROM applied_versions WHERE stream = ANY ($1::text[])'

/** Rows as TypeORM entities of `source`, by their metadata; `applied_versions` beside them. */
export const typeormRows = (source: DataSource): RowStore => {
  const statements = new Map<string, { name: string; text: string }>()
  const bells: (() => void)[] = []

  const statementFor = ({ table, properties }: RowGroup) => {
    const shape = `${table.entity.name}/${properties.join()}`
    const known = statements.get(shape)
    if (known) return known
    const text = upsertStatement(source, table, properties)
    // PostgreSQL keeps 63 bytes of a statement's name, and a name must mean one text on all of the pool's connections.
    const statement = { name: `projections/${createHash('sha256').update(text).digest('hex').slice(0, 32)}`, text }
    statements.set(shape, statement)
    return statement
  }

  return {
    async advance(transaction, streams) {
      if (streams.length === 0) return new Map()
      const tx = asTypeorm(transaction)
      const sorted = streams.toSorted((one, other) => (one.stream < other.stream ? -1 : 1))
      const { rows } = await tx.query<{ stream: string; incarnation: string | null; version: bigint | null }>({
        ...ADVANCE,
        values: [
          sorted.map(({ stream }) => stream),
          sorted.map(({ incarnation }) => incarnation),
          sorted.map(({ version }) => version.toString()),
        ],
      })
      tx.onCommit(() => {
        for (const ring of bells) ring()
      })
      return new Map(rows.map((row) => [row.stream, knownVersion(row.incarnation, row.version)]))
    },

    upsert(transaction, upserts) {
      const tx = asTypeorm(transaction)
      for (const group of groupRows(upserts)) tx.send({ ...statementFor(group), values: [storableJson(group.rows)] })
      return Promise.resolve()
    },

    async applied(streams) {
      const rows: { stream: string; incarnation: string; version: bigint }[] = await source.query(APPLIED, [streams])
      return new Map(rows.map(({ stream, incarnation, version }) => [stream, { incarnation, version: BigInt(version) }]))
    },

    onApplied: (ring) => void bells.push(ring),
  }
}

const knownVersion = (incarnation: string | null, version: bigint | null): AppliedVersion | undefined =>
  incarnation === null || version === null ? undefined : { incarnation, version }

/** The rows travel as one JSON parameter: one plan for any number of them, and jsonb columns need no second encoding. */
const upsertStatement = (source: DataSource, { entity, key }: Table, properties: readonly string[]): string => {
  const metadata = source.getMetadata(entity)
  checkKey(metadata, key)
  const columns = properties.map((property) => {
    const column = metadata.findColumnWithPropertyName(property)
    if (!column) throw new TypeError(`${entity.name} has no column ${property}`)
    return {
      property: quote(property),
      name: quote(column.databaseName),
      type: source.driver.normalizeType(column),
      isKey: column.isPrimary,
    }
  })
  const changes = columns.filter(({ isKey }) => !isKey).map(({ name }) => `${name} = excluded.${name}`)
  return `
    INSERT INTO ${quote(metadata.tableName)} (${columns.map(({ name }) => name).join(', ')})
    SELECT ${columns.map(({ property }) => property).join(', ')}
    FROM json_to_recordset($1::json) AS rows (${columns.map(({ property, type }) => `${property} ${type}`).join(', ')})
    ON CONFLICT (${metadata.primaryColumns.map(({ databaseName }) => quote(databaseName)).join(', ')})
    DO ${changes.length > 0 ? `UPDATE SET ${changes.join(', ')}` : 'NOTHING'}`
}

const checkKey = (metadata: EntityMetadata, key: readonly string[]): void => {
  const primary = metadata.primaryColumns.map(({ propertyName }) => propertyName).sort()
  if (primary.join() !== key.toSorted().join())
    throw new TypeError(`the key of ${metadata.name} is (${primary.join(', ')}), not (${key.join(', ')})`)
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
