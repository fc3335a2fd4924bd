import { expect } from '@jest/globals'
import type { MessageContext } from '#kernel'
import type { AnySaga } from '#saga'
import type { SagaBench } from '#saga/testing'
import type { BooksOfProvider, ProviderFault } from './books.js'

const FEW = 4

/** The same sagas, which ask less often before a person is called: the steps are the same, and few enough to be killed at each. */
export const askingLess = (definition: AnySaga): AnySaga => {
  const less = <A extends { readonly kind: string } | undefined>(action: A): A =>
    action?.kind === 'activity' && 'attempts' in action ? { ...action, attempts: Math.min(Number(action.attempts), FEW) } : action
  return {
    ...definition,
    steps: definition.steps.map(({ does, undo, ...step }) => ({
      ...step,
      ...(does ? { does: less(does) } : {}),
      ...(undo ? { undo: less(undo) } : {}),
    })),
  }
}

/**
 * What the fault left to an operator names the payment and says what of it is not settled; the provider is back, and each is tried again.
 * Answers how many a person was called to.
 */
export const mend = async (bench: SagaBench & { readonly provider: BooksOfProvider }, context: MessageContext): Promise<number> => {
  const waiting = bench.store.instances().filter(({ status }) => status === 'NEEDS_ATTENTION')
  const payment = bench.provider.look()
  for (const { id, waitingFor } of waiting) {
    const { data } = await bench.state(id)
    expect(waitingFor).toMatch(
      /^operator: (authorise-payment \(undo\)|capture-payment|refund-payment): (refused|unknown after|its time is over)/,
    )
    expect(JSON.stringify(data)).toContain(String(payment?.amount))
    expect(JSON.stringify(data)).toContain(payment?.paymentId)
  }
  bench.provider.back = true
  for (const { id: sagaId } of waiting) {
    const operator = { action: 'retry' } as const
    await bench.apply({ kind: 'operator', id: `retry ${sagaId}`, sagaId, context, by: 'ops', reason: 'it is back', operator })
  }
  await bench.run()
  return waiting.length
}

export const FAULTS: readonly ProviderFault['is'][] = ['refused', 'unknown', 'lost']
