import { baseConfig, personalDataConfig } from '#platform'
import Type, { type Static } from 'typebox'

/** The environment of order-query. */
export const orderQueryConfig = Type.Object({
  ...baseConfig,
  ...personalDataConfig,
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3002, description: 'Where it listens; 0 takes any free port.' }),
  DATABASE_SCHEMA: Type.String({
    pattern: '^[a-z_][a-z0-9_]{0,62}$',
    default: 'order_query',
    description: "The schema of the app's tables.",
  }),
  DATABASE_CONNECTIONS: Type.Integer({
    minimum: 2,
    maximum: 100,
    default: 10,
    description: 'Connections for reads and projections; the offsets of the log have a few of their own.',
  }),
})

export type OrderQueryConfig = Static<typeof orderQueryConfig>
