import { Catch, UseFilters, type RpcExceptionFilter } from '@nestjs/common'
import { EventPattern } from '@nestjs/microservices'
import type { BatchHandler } from '../log.js'
import { throwError, type Observable } from 'rxjs'

/** Marks a handler in the pattern's extras. */
export const BATCH = 'bahi:batch'

/**
 * Nest's default filter replaces an error by "Internal server error"; the consumer must see the error itself to judge whether it passes.
 * `@BatchPattern` has it; for other handlers `@UseFilters(new KeepError())`, or `microservice.useGlobalFilters(new KeepError())`.
 */
@Catch()
export class KeepError implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error)
  }
}

/**
 * A handler of whole batches: `(messages: readonly IncomingMessage[]) => Promise<Effect>`, one per topic and group. It gets every type of
 * the topic and passes over those that it does not know. Its effect is written in one transaction with the offset.
 */
export const BatchPattern =
  (topic: string) =>
  (target: object, property: string | symbol, descriptor: TypedPropertyDescriptor<BatchHandler>): void => {
    EventPattern<string>(topic, { [BATCH]: true })(target, property, descriptor)
    UseFilters(new KeepError())(target, property, descriptor)
  }
