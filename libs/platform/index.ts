export * from './app/create-app.js'
export { answerHttpErrors, answerRouterErrors } from './app/client-errors.js'
export * from './app/health.js'
export * from './app/http-server.js'
export { openApiDocument } from './app/openapi.js'
export type { AppOptions, PlatformConfig } from './app/options.js'
export { APP_LOG } from './app/platform.module.js'
export * from './app/run-standalone.js'
export { SECURITY_HEADERS } from './app/security-headers.js'
export { ClientIds, Idempotent, KeepRawBody, OwnedBy, Public, Roles, type OwnershipResolver } from './auth/access.js'
export { Caller, callerIdentity, hasRole, ROLES, STAFF, type CallerIdentity, type Role } from './auth/caller.js'
export { RawBody } from './auth/raw-body.js'
export { ConsistencyToken, ConsistencyTokenHeader, notYetConsistent, waitUntilConsistent } from './commands/consistency-token.js'
export { canonical, commandIdOf, fingerprint, keyedHash } from './commands/fingerprint.js'
export { HttpCommand, type CommandRequest } from './commands/http-command.js'
export * from './commands/http-commands.js'
export {
  baseConfig,
  InvalidConfig,
  parseConfig,
  parseJsonVariable,
  personalDataConfig,
  readConfig,
  type BaseConfig,
  type PersonalDataConfig,
} from './config.js'
export { DevIssuerModule } from './dev-issuer/dev-issuer.module.js'
export { memoryIssuerKeys, pgIssuerKeys } from './dev-issuer/key-stores.js'
export { devIssuerMigrations } from './dev-issuer/migrations.js'
export * from './dto/cursor.js'
export * from './dto/fields.js'
export * from './dto/formats.js'
export * from './dto/money.dto.js'
export * from './dto/page-query.dto.js'
export { problemOf } from './errors/problem-filter.js'
export {
  invalidInput,
  notFound,
  Problem,
  PROBLEM_JSON,
  problemBytes,
  problemOfRefusal,
  unavailable,
  type FieldError,
  type ProblemBody,
} from './errors/problem.js'
export { masked } from './observability/mask.js'
export { lookedAtOnce, Metrics } from './observability/metrics.js'
export { publishingActs } from './observability/publish-acts.js'
export { traceOf } from './observability/request-trace.js'
