import { openEventStore } from '#event-store'
import { systemClock, systemIds, type JsonObject } from '#kernel'
import { pgTransactions } from '#postgres'
import { pgSagaStore, SagaDefinitions, SagaEngine, type AnySaga, type OperatorAction, type SagaFilter, type SagaInstance } from '#saga'
import { userInfo } from 'node:os'
import { OperateSagas, OperateSagasHandler } from '../../../payment-saga/commands/operate-sagas.js'
import { streamTypes } from '../../../payment-saga/streams.js'
import type { Io } from '../io.js'
import type { Place } from '../place.js'

/** Sagas worked on at once. */
const PAGE = 100

/** A person's hand at a console, on these sagas or on those of a filter. */
export interface Hand {
  readonly operator: OperatorAction
  readonly of: { readonly these: readonly SagaInstance[] } | { readonly filter: SagaFilter }
  readonly reason: string
  readonly dryRun: boolean
  readonly json: boolean
  /** What is said of one on which it was laid: `moved to v2`. */
  readonly done: string
}

/** By the same hand as `POST /v1/sagas/…`, page after page. What refuses stays as it is; then the exit code is 1. */
export const operate = async (io: Io, { pool, postgres }: Place, definitions: readonly AnySaga[], hand: Hand): Promise<void> => {
  const { operator, of, reason, dryRun, json, done } = hand
  const clock = systemClock
  const store = await openEventStore({ pool, postgres, types: streamTypes, publish: () => [], clock, app: 'bahi-cli' })
  try {
    const sagas = pgSagaStore(pool, postgres)
    const engine = new SagaEngine({ commands: store, store: sagas, definitions: new SagaDefinitions(definitions), clock, app: 'bahi-cli' })
    const listed = 'these' in of ? { list: () => Promise.resolve(of.these) } : sagas
    const handler = new OperateSagasHandler(engine, store, listed, pgTransactions(pool))
    const commandId = `bahi saga ${operator.action} ${systemIds.next()}`
    const context = { correlationId: commandId, causationId: commandId }
    const request = { commandId, caller: { sub: userInfo().username }, context, act: { roles: ['console'] } }
    const filter = 'these' in of ? {} : of.filter
    const limit = 'these' in of ? of.these.length : PAGE
    let matched = 0
    let well = 0
    for (let before: string | undefined; !io.signal.aborted;) {
      const page = { limit, ...(before === undefined ? {} : { before }) }
      const { items, next } = await handler.execute(new OperateSagas(request, filter, page, operator, reason, dryRun))
      for (const item of items)
        await io.out(json ? JSON.stringify({ ...item, dryRun }) : lineOf(item, `${dryRun ? 'would be ' : ''}${done}`))
      matched += items.length
      well += items.filter(isWell).length
      io.say(`${well} of ${matched} ${dryRun ? 'would be ' : ''}${done}`)
      if (next === null) break
      before = next
    }
    if (well < matched || io.signal.aborted) io.exitCode = 1
  } finally {
    await store.close()
  }
}

const isWell = ({ result }: JsonObject): boolean => result === 'applied' || result === 'matched'

const lineOf = (item: JsonObject, done: string): string => {
  const { sagaId, status, result, detail } = item
  const said = isWell(item) ? done : result === 'failed' ? 'failed: it is as it was' : `stays: ${String(detail)}`
  return `${String(sagaId)}  ${String(status)}  ${said}`
}
