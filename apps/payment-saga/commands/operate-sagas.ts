import { actCommand, type Act, type Commands, type Events } from '#event-store'
import type { JsonObject, MessageContext, Transactions } from '#kernel'
import { isTransient } from '#messaging'
import {
  SagaEngine,
  sagaRef,
  type InputAnswer,
  type OperatorAction,
  type SagaFilter,
  type SagaInput,
  type SagaInstance,
  type SagaStore,
} from '#saga'
import { Inject } from '@nestjs/common'
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs'
import { SAGAS, STORE, TRANSACTIONS } from '../tokens.js'

/** Who asks, once: by HTTP or at a console. */
export interface OperatorRequest {
  readonly commandId: string
  readonly caller: { readonly sub: string }
  readonly context: MessageContext
  /** In the audit trail it is told of each saga. */
  readonly act?: Pick<Act, 'roles'>
}

export interface OperatedSagas {
  readonly dryRun: boolean
  readonly matched: number
  readonly applied: number
  readonly items: readonly JsonObject[]
  /** The id to go on below; null: there are no more. */
  readonly next: string | null
}

/** A person's hand on all sagas of a filter, the newest first, at most `limit`. */
export class OperateSagas extends Command<OperatedSagas> {
  constructor(
    readonly request: OperatorRequest,
    readonly filter: SagaFilter,
    readonly page: { readonly limit: number; readonly before?: string },
    readonly operator: OperatorAction,
    readonly reason: string,
    readonly dryRun: boolean,
  ) {
    super()
  }
}

/** How many go in one transaction: it takes the store's lock, and others wait for it. */
const TOGETHER = 20

/**
 * Each saga is its own input under an id of the request and the saga: the same key again has no second effect on any of them, and one that
 * refuses or fails does not keep the others from being helped.
 */
@CommandHandler(OperateSagas)
export class OperateSagasHandler implements ICommandHandler<OperateSagas> {
  constructor(
    @Inject(SagaEngine) private readonly engine: Pick<SagaEngine, 'apply' | 'preview'>,
    @Inject(STORE) private readonly store: Pick<Events, 'load'> & Pick<Commands, 'executeAll'>,
    @Inject(SAGAS) private readonly sagas: Pick<SagaStore, 'list'>,
    @Inject(TRANSACTIONS) private readonly transactions: Transactions,
  ) {}

  async execute(command: OperateSagas): Promise<OperatedSagas> {
    const { filter, page, dryRun } = command
    const found = await this.sagas.list(filter, { ...page, limit: page.limit + 1 })
    const sagas = found.slice(0, page.limit)
    const results: JsonObject[] = []
    for (let from = 0; from < sagas.length; from += TOGETHER) {
      const some = sagas.slice(from, from + TOGETHER)
      results.push(...(await (dryRun ? this.#preview(command, some) : this.#operate(command, some))))
    }
    const more = found.length > sagas.length ? (sagas.at(-1)?.id ?? null) : null
    return {
      dryRun,
      matched: sagas.length,
      applied: results.filter(({ result }) => result === 'applied').length,
      items: results,
      next: more,
    }
  }

  /** What it would come to, of each: nothing is written. */
  #preview(command: OperateSagas, sagas: readonly SagaInstance[]): Promise<readonly JsonObject[]> {
    return Promise.all(
      sagas.map(async (saga) => {
        const answer = this.engine.preview(inputOf(command, saga), await this.store.load(sagaRef(saga.id)))
        return { ...resultOf(saga, answer), ...(answer.disposition === 'refused' ? {} : { result: 'matched' }) }
      }),
    )
  }

  async #operate(command: OperateSagas, sagas: readonly SagaInstance[]): Promise<readonly JsonObject[]> {
    const inputs = sagas.map((saga) => inputOf(command, saga))
    try {
      const answers = await this.transactions.run(async (tx) => {
        const answers = await this.engine.apply(inputs, tx)
        await this.store.executeAll(actsOf(command, inputs, answers), tx)
        return answers
      })
      return sagas.flatMap((saga, nth) => (answers[nth] ? [resultOf(saga, answers[nth])] : []))
    } catch (error) {
      if (isTransient(error)) throw error
      const [only] = sagas
      if (!only || sagas.length === 1) return only ? [{ ...about(only), result: 'failed' }] : []
      const each: JsonObject[] = []
      for (const saga of sagas) each.push(...(await this.#operate(command, [saga])))
      return each
    }
  }
}

const inputOf = ({ request, operator, reason }: OperateSagas, { id: sagaId }: SagaInstance): SagaInput => ({
  kind: 'operator',
  id: `${request.commandId}>${sagaId}`,
  sagaId,
  context: request.context,
  by: request.caller.sub,
  reason,
  operator,
})

const actsOf = ({ request, operator: { action }, reason }: OperateSagas, inputs: readonly SagaInput[], answers: readonly InputAnswer[]) => {
  const { roles } = request.act ?? {}
  if (!roles) return []
  return inputs.map(({ id, sagaId }, nth) => {
    const answer = answers[nth]
    const act = { action: `POST /v1/sagas/${action}`, path: `/v1/sagas/${sagaId}/${action}`, roles }
    const outcome = answer?.disposition === 'refused' ? { status: 409, refused: answer.slug } : { status: 200 }
    return actCommand(`${id}>act`, { actor: request.caller.sub, reason, context: request.context }, act, outcome)
  })
}

const about = ({ id, type, status, correlationKey }: SagaInstance): JsonObject => ({ sagaId: id, type, status, correlationKey })

const resultOf = (saga: SagaInstance, answer: InputAnswer): JsonObject => {
  if (answer.disposition !== 'refused') return { ...about(saga), result: 'applied' }
  return { ...about(saga), result: 'refused', reason: answer.slug, detail: answer.detail }
}
