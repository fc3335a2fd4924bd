import type { EventStore } from '#event-store'
import { isJsonObject, type JsonObject } from '#kernel'
import { isUuid } from '#platform'
import { sagaIdFor, sagaRef, type SagaInstance, type SagaStore } from '#saga'
import { sagaView, timelineView } from '../../../payment-saga/saga-view.js'
import { Refused, type Io } from '../io.js'

/** Events of one saga, unless all are asked for: one that asks for days is long. */
const NEWEST = 50

/** The saga of this id; where there is none, those about it: an order's, a load's, a refund's. */
export const sagasOf = async (sagas: Pick<SagaStore, 'instance'>, types: readonly string[], word: string): Promise<SagaInstance[]> => {
  const own = isUuid(word) ? await sagas.instance(word) : undefined
  const found = own ? [own] : (await Promise.all(types.map((type) => sagas.instance(sagaIdFor(type, word))))).filter((each) => !!each)
  if (found.length === 0) throw new Refused(`there is no saga ${word}, and none about it`)
  return found
}

/** All of it, for a person or as JSON. */
export const show = async (io: Io, store: Pick<EventStore, 'load' | 'readStream'>, row: SagaInstance, all: boolean, json: boolean) => {
  const { state, version } = await store.load(sagaRef(row.id))
  const view = { ...sagaView(state, version), ...(row.waitingFor === undefined ? {} : { waitingFor: row.waitingFor }) }
  const timeline: JsonObject[] = []
  const from = all ? 1 : Math.max(version - NEWEST + 1, 1)
  for await (const event of store.readStream(`saga-${row.id}`, { from, to: version })) timeline.push(timelineView(event))
  if (json) return io.out(JSON.stringify({ ...view, timeline }))

  await io.out(`${row.type} v${row.definition}  ${text(view, 'status')}  about ${row.correlationKey}`)
  await io.out(`  id ${row.id}, version ${version}, begun ${text(view, 'startedAt')}, last changed ${text(view, 'updatedAt')}`)
  if (row.waitingFor !== undefined) await io.out(`  waits for ${row.waitingFor}`)
  if (state.failure) await io.out(`  turned back at ${state.failure.step}: ${state.failure.reason}`)
  if (state.pastPivot) await io.out('  past its pivot: it only goes forward')
  await io.out('steps')
  for (const step of objects(view, 'steps')) {
    await io.out(`  ${text(step, 'step').padEnd(18)}  ${told(step)}`)
    const undo = step['compensation']
    if (isJsonObject(undo)) await io.out(`  ${''.padEnd(18)}  undo: ${told(undo)}`)
  }
  await io.out(from > 1 ? `timeline: the newest ${NEWEST} of ${version}; --all for all` : 'timeline')
  for (const { at, type, by, ...rest } of timeline) {
    const more = Object.entries(rest).map(([name, value]) =>
      name === 'step' || name === 'detail' ? String(value) : `${name} ${String(value)}`,
    )
    await io.out(`  ${[at, type, ...more, `by ${String(by)}`].map(String).join('  ')}`)
  }
  if (text(view, 'status') === 'NEEDS_ATTENTION') io.say(`retry, compensate or resume it: npx bahi saga retry ${row.id} --reason '…'`)
}

const WORDS = {
  attempts: 'attempt',
  startedAt: 'begun',
  endedAt: 'ended',
  timerAt: 'timer',
  nextRunAt: 'runs again',
  lastUnknown: 'unknown:',
}

/** One action in words: its status, and what else is known of it. */
const told = (action: JsonObject): string => {
  const known = Object.entries(WORDS).filter(([name]) => action[name] !== undefined && action[name] !== 0)
  const why = ['reason', 'detail'].flatMap((name) => (action[name] === undefined ? [] : [text(action, name)]))
  return [text(action, 'status'), ...known.map(([name, word]) => `${word} ${text(action, name)}`), ...why].join('  ')
}

const text = (of: JsonObject, name: string): string => String(of[name])
const objects = (of: JsonObject, name: string): readonly JsonObject[] => {
  const value = of[name]
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}
