import type { LoggerService } from '@nestjs/common'
import { destination, pino, type Logger } from 'pino'
import type { AppOptions } from '../app/options.js'
import { currentTrace } from '#tracing'
import { masked } from './mask.js'

/**
 * One pino logger per app. nestjs-pino is not used: it keeps one root logger per process, and up to five apps share one.
 * Bodies are never logged, headers neither; the paths below guard against a logged object that carries them.
 */
export const createLog = ({ name, config, logTo }: Pick<AppOptions, 'name' | 'config' | 'logTo'>): Logger =>
  pino(
    {
      level: config.LOG_LEVEL,
      base: { app: name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      mixin: () => {
        const trace = currentTrace()
        return trace ? { traceId: trace.traceId } : {}
      },
      serializers: { err: errorFields, req: () => undefined, res: () => undefined },
      redact: ['authorization', 'headers', 'body', 'password', 'token', '*.authorization', '*.headers', '*.body', '*.password', '*.token'],
    },
    logTo ?? destination({ sync: true }),
  )

/** An error without what libraries hang on it: pg puts rows into `detail` and values into `where`. */
const errorFields = (error: unknown): object => {
  if (!(error instanceof Error)) return { message: 'not an Error' }
  const { code } = error as { code?: unknown }
  return {
    type: error.name,
    message: masked(error.message),
    stack: error.stack && masked(error.stack),
    ...(typeof code === 'string' && { code }),
    ...(error.cause instanceof Error && { cause: errorFields(error.cause) }),
  }
}

const ofLevel = (level: 'info' | 'error' | 'warn' | 'debug' | 'trace' | 'fatal') =>
  function write(this: NestLog, message: unknown, ...rest: readonly unknown[]): void {
    const context = rest.at(-1)
    this.log_.child(typeof context === 'string' ? { context } : {})[level](message instanceof Error ? { err: message } : String(message))
  }

/** Nest's own lines, through pino. */
export class NestLog implements LoggerService {
  constructor(readonly log_: Logger) {}

  readonly log = ofLevel('debug')
  readonly error = ofLevel('error')
  readonly warn = ofLevel('warn')
  readonly debug = ofLevel('debug')
  readonly verbose = ofLevel('trace')
  readonly fatal = ofLevel('fatal')
}
