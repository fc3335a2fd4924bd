import type { Clock } from '#kernel'
import type { Tracing } from '#tracing'
import type { JWTVerifyGetKey } from 'jose'
import type { BaseConfig } from '../config.js'

export type PlatformConfig = Pick<
  BaseConfig,
  | 'NODE_ENV'
  | 'JWKS_URL'
  | 'JWT_ISSUER'
  | 'JWT_AUDIENCE'
  | 'RATE_LIMIT_PER_SECOND'
  | 'RATE_LIMIT_BURST'
  | 'LOG_LEVEL'
  | 'REDIS_URL'
  | 'TRUST_PROXY'
>

export interface AppOptions {
  /** `order-command`: the label in logs and metrics. */
  readonly name: string
  readonly config: PlatformConfig
  /** One line for OpenAPI. */
  readonly description?: string
  readonly clock?: Clock
  /** Where spans are kept. */
  readonly tracing?: Tracing | undefined
  /** Instead of the keys behind `JWKS_URL`: for tests, and for an app that has them at hand. */
  readonly keys?: JWTVerifyGetKey
  /** Where log lines go; standard output unless given. */
  readonly logTo?: { write(line: string): void }
}
