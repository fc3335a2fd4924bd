import pg from 'pg'
import { testServerUrl } from '#postgres/testing'

export interface OwnDatabases {
  /** With the app's own role, which owns the database and may enter no other. */
  urlOf(app: string): string
  drop(): Promise<void>
}

/** A database and a role per app, empty. */
export const makeDatabases = async (apps: readonly string[]): Promise<OwnDatabases> => {
  const run = `d${process.pid}_${Date.now().toString(36)}`
  const nameOf = (app: string): string => `${run}_${app.replaceAll('-', '_')}`
  await admin(async (client) => {
    for (const name of apps.map(nameOf)) {
      await client.query(`CREATE ROLE ${name} LOGIN PASSWORD '${name}'`)
      await client.query(`CREATE DATABASE ${name} OWNER ${name}`)
      await client.query(`REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`)
    }
  })
  return {
    urlOf: (app) => {
      const url = new URL(testServerUrl())
      url.username = url.password = nameOf(app)
      url.pathname = `/${nameOf(app)}`
      return url.href
    },
    drop: () =>
      admin(async (client) => {
        for (const name of apps.map(nameOf)) {
          await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
          await client.query(`DROP ROLE IF EXISTS ${name}`)
        }
      }),
  }
}

const admin = async (work: (client: pg.Client) => Promise<unknown>): Promise<void> => {
  const client = new pg.Client({ connectionString: testServerUrl() })
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end()
  }
}
