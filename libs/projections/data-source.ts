import { clientConfig, type PostgresConfig } from '#postgres'
import pg from 'pg'
import type { DataSourceOptions, ValueTransformer } from 'typeorm'

/**
 * TypeORM listens for errors from when it has taken a connection until it gives it back, the pool while it is idle. Between the two, a
 * server's last words that arrive in one packet with its answer meet no listener, and would end the process.
 */
class ListeningClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config)
    this.on('error', () => undefined)
  }
}

/** Options of a TypeORM data source with the same bounds (time-outs, schema, name) as the pools of `#postgres`. It never changes the schema itself. */
export const dataSourceOptions = (config: PostgresConfig, entities: readonly (new () => object)[]): DataSourceOptions => ({
  type: 'postgres',
  entities: [...entities],
  synchronize: false,
  migrationsRun: false,
  installExtensions: false,
  logging: false,
  extra: { ...clientConfig(config), max: config.maxConnections, idleTimeoutMillis: 30_000, Client: ListeningClient },
  // An idle connection that dies is replaced at its next use.
  poolErrorHandler: () => undefined,
})

/** For `bigint` columns: decimal strings in entities, whatever pg makes of them. */
export const decimalText: ValueTransformer = {
  from: (value: unknown) => (typeof value === 'bigint' || typeof value === 'number' ? value.toString() : value),
  to: (value: unknown) => value,
}
