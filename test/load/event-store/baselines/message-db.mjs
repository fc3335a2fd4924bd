// message-db's functions from its own package: `write_message`, prepared, one call an append.
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createRequire } from 'node:module'
import pg from 'pg'

const folder = join(dirname(createRequire(import.meta.url).resolve('@eventide/message-db/package.json')), 'database')
const FILES = [
  'schema/message-store',
  'tables/messages',
  'types/message',
  ...['hash-64', 'acquire-lock', 'category', 'is-category', 'id', 'cardinal-id', 'stream-version', 'write-message'].map(
    (name) => `functions/${name}`,
  ),
  ...['messages-category', 'messages-id', 'messages-stream'].map((name) => `indexes/${name}`),
]

export const openMessageDb = async (url, connections) => {
  const pool = new pg.Pool({ connectionString: url, max: connections, options: '-c search_path=message_store' })
  for (const file of FILES) await pool.query(readFileSync(join(folder, `${file}.sql`), 'utf8').replaceAll(/CONCURRENTLY /gi, ''))
  const versions = new Map()
  const write = (stream, data, expected) =>
    pool.query({
      name: 'write_message',
      text: 'SELECT write_message($1, $2, $3, $4::jsonb, NULL, $5::bigint) AS version',
      values: [randomUUID(), `bench-${stream}`, 'Happened', JSON.stringify(data), expected],
    })
  return {
    append: (stream, data) => write(stream, data, null),
    async appendExpected(stream, data) {
      for (;;) {
        try {
          const { rows } = await write(stream, data, versions.get(stream) ?? -1)
          const version = Number(rows[0].version)
          if ((versions.get(stream) ?? -1) < version) versions.set(stream, version)
          return
        } catch (error) {
          const current = /Stream Version: (-?\d+)/.exec(error.message)?.[1]
          if (current === undefined) throw error
          if (Number(current) > (versions.get(stream) ?? -1)) versions.set(stream, Number(current))
        }
      }
    },
    close: () => pool.end(),
  }
}
