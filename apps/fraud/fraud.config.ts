import Type, { type Static } from 'typebox'
import { baseConfig } from '#platform'

/** The environment of the fraud app. */
export const fraudConfig = Type.Object({
  ...baseConfig,
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3005, description: 'Where it listens; 0 takes any free port.' }),
  DATABASE_SCHEMA: Type.String({ pattern: '^[a-z_][a-z0-9_]{0,62}$', default: 'fraud', description: "The schema of the app's tables." }),
  REVIEW_TIMEOUT_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 30 * 86_400,
    default: 86_400,
    description: 'How long an alert waits for a person; then the order is declined.',
  }),
  FRAUD_SAMPLE_SHARE: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 0,
    description:
      'The share of the orders approved by scoring alone that is drawn for analysts to label, so that it is known what is missed. As many as they can look at: of 10,000 orders a day 0.01 draws a hundred. 0 draws none: leave it there until every replica is of a release that knows samples.',
  }),
  DATABASE_CONNECTIONS: Type.Integer({ minimum: 2, maximum: 200, default: 10, description: 'PostgreSQL connections of this process.' }),
})

export type FraudConfig = Static<typeof fraudConfig>
