import { directRelay, holdRelay, letRelayGo, lookAtRelay, type RelayLog } from '#event-store'
import { systemClock } from '#kernel'
import { groupInLog, leaveLog, messagingTopics, moveGroup, StillReads, type GroupInLog, type LogDriver } from '#messaging'
import { topicSpecs } from '#service'
import { Refused } from '../io.js'
import type { LogName, MovedApp, System } from './system.js'

/** Where one app is. */
export interface AppInMove {
  readonly app: string
  /** None for an app that publishes nothing. */
  readonly relay: RelayLog | undefined
  readonly group: GroupInLog
}

/** What was done, or how far it is. */
export interface Progress {
  readonly step: 'hold' | 'publish' | 'read' | 'groups' | 'relays' | 'done'
  readonly app?: string
  /** What is still to be published, or read. */
  readonly left?: number
  /** For how long nothing went from app to app, as far as this run saw it. */
  readonly paused_ms?: number
}

const LOOK_AGAIN_MS = 200
const TELL_AGAIN_MS = 1_000

export const lookAtAll = ({ apps, from }: System): Promise<readonly AppInMove[]> => {
  const ends = new Map<string, ReturnType<LogDriver['offsets']>>()
  const offsets = (topic: string) => {
    const known = ends.get(topic) ?? from.offsets(topic)
    ends.set(topic, known)
    return known
  }
  return Promise.all(
    apps.map(async ({ name, pool, publishes }) => {
      try {
        const [relay, group] = await Promise.all([
          publishes ? lookAtRelay(pool) : undefined,
          groupInLog(pool, name, { name: from.name, offsets }),
        ])
        return { app: name, relay, group }
      } catch (error) {
        // Of an older shape: a column or a table is not there.
        if (['42703', '42P01', '3F000'].includes((error as { code?: string }).code ?? ''))
          throw new Refused(`${name}, or the log, is not migrated: npm run migrate -- --app ${name}`)
        throw error
      }
    }),
  )
}

export const isMoved = (all: readonly AppInMove[], to: string): boolean =>
  all.every(({ relay, group }) => group.log === to && (relay === undefined || relay.log === to))

/** From here on there is no way back but to end the move and move again. */
const isUnderWay = (all: readonly AppInMove[], to: string): boolean => all.some(({ relay, group }) => group.log === to || relay?.log === to)

/** What stands against the move, each with what to do about it. */
export const objections = (all: readonly AppInMove[], { from, to }: System): readonly string[] => {
  const found: string[] = []
  const underWay = isUnderWay(all, to.name)
  for (const { app, relay, group } of all) {
    const strange = [relay?.log, group.log].find((log) => log !== undefined && log !== from.name && log !== to.name)
    if (strange !== undefined) found.push(`${app} is in the log ${strange}, and not in ${from.name}`)
    else if (group.log === undefined || (relay && relay.log === undefined))
      found.push(`${app} has not run with this version and LOG=${from.name} yet: start it, all of its replicas, and wait until it is ready`)
    else if (!underWay && group.deferred > 0)
      found.push(
        `${app} has ${group.deferred} messages put aside: wait until they are handled or parked; send back those that hold a key (docs/runbooks/MessagesParked.md)`,
      )
  }
  return found
}

/**
 * Moves the system from one log to the other: holds what the stores publish, lets the log before be read to its end, then moves the groups and
 * then the relays. Each step is one transaction in one database, and what was done is read from there, so that it may be ended at any point and
 * called again. What keeps it waiting for longer than `timeout_ms` before the first group is moved, or `signal`, makes it take the holds back.
 */
export const migrateLog = async function* (
  system: System,
  { timeout_ms, signal }: { readonly timeout_ms: number; readonly signal: AbortSignal },
): AsyncGenerator<Progress> {
  const { apps, from, to } = system
  const all = await lookAtAll(system)
  if (isMoved(all, to.name)) return
  const wrong = objections(all, system)
  if (wrong.length > 0) throw new Refused(wrong.join('\n'))
  await to.ensureTopics([...topicSpecs({ LOG: to.name as LogName }), ...messagingTopics])
  const began_ms = systemClock.now()
  const until_ms = began_ms + timeout_ms
  if (!isUnderWay(all, to.name)) {
    try {
      yield* hold(system)
      yield* waitFor('publish', system, until_ms, signal)
      yield* waitFor('read', system, until_ms, signal)
    } catch (error) {
      await takeBack(system).catch(() => {
        throw new Refused(`${String(error)}. And what is held could not be taken back: run this again, or with --abort`)
      })
      throw error
    }
  }
  yield* groups(system, until_ms)
  for (const { name, pool, publishes } of apps) {
    if (!publishes || (await lookAtRelay(pool)).log === to.name) continue
    if (!(await directRelay(pool, to.name)))
      throw new Refused(`${name} is not held, and its group was moved: publish nothing by hand, and see its table relay`)
    yield { step: 'relays', app: name }
  }
  yield { step: 'done', paused_ms: systemClock.now() - began_ms }

  async function* hold({ apps }: System): AsyncGenerator<Progress> {
    for (const { name, pool, publishes } of apps) {
      await leaveLog(pool, name, true)
      if (publishes && !(await holdRelay(pool, from.name))) throw new Refused(`${name} publishes to another log than ${from.name}`)
      yield { step: 'hold', app: name }
    }
  }
}

/** Takes the holds back: the system goes on in the log that it is in. */
export const takeBack = async ({ apps }: Pick<System, 'apps'>): Promise<void> => {
  for (const { name, pool, publishes } of apps) {
    if (publishes) await letRelayGo(pool)
    await leaveLog(pool, name, false)
  }
}

export const abort = async (system: System): Promise<void> => {
  if (isUnderWay(await lookAtAll(system), system.to.name))
    throw new Refused(`some of it is in ${system.to.name} already: end the move by running it again, then move back if you must`)
  await takeBack(system)
}

const waitFor = async function* (
  step: 'publish' | 'read',
  system: System,
  until_ms: number,
  signal: AbortSignal,
): AsyncGenerator<Progress> {
  let told_ms = 0
  for (;;) {
    const left = (await lookAtAll(system)).map((each) => ({ ...each, left: leftOf(step, each) })).filter(({ left }) => left > 0)
    if (left.length === 0) return yield { step, left: 0 }
    const now = systemClock.now()
    if (signal.aborted || now > until_ms) throw new Refused(stoppedBy(step, left, signal.aborted))
    if (now - told_ms >= TELL_AGAIN_MS) {
      for (const { app, left: messages } of left) yield { step, app, left: messages }
      told_ms = now
    }
    await systemClock.sleep(LOOK_AGAIN_MS)
  }
}

const leftOf = (step: 'publish' | 'read', { relay, group }: AppInMove): number =>
  step === 'publish' ? (relay?.left ?? 0) : group.lag + group.deferred

const stoppedBy = (step: 'publish' | 'read', left: readonly (AppInMove & { readonly left: number })[], asked: boolean): string => {
  const which = left.map(({ app, left: messages, group }) =>
    step === 'publish'
      ? `${app} has ${messages} to publish`
      : `${app} has ${messages} to read${group.behindIn.length > 0 ? ` in ${group.behindIn.join(', ')}` : ', put aside'}`,
  )
  const next = step === 'publish' ? 'docs/runbooks/RelayStands.md' : 'docs/runbooks/ConsumerLag.md'
  return `${asked ? 'stopped' : 'it took too long'}: ${which.join('; ')}. Nothing was moved, and the system goes on as before. See ${next}, then run this again`
}

/** order-query is the last: it sends requests to redrive, which every other group is to hear in the log that it reads. */
const groups = async function* ({ apps, from, to }: System, until_ms: number): AsyncGenerator<Progress> {
  const last = (app: MovedApp) => (app.name === 'order-query' ? 1 : 0)
  for (const { name, pool } of apps.toSorted((a, b) => last(a) - last(b))) {
    for (;;) {
      try {
        await moveGroup(pool, name, from, to)
        break
      } catch (error) {
        if (!(error instanceof StillReads)) throw error
        if (systemClock.now() > until_ms) throw new Refused(`${error.message}: start ${name} with LOG=${from.name}, then run this again`)
        await systemClock.sleep(LOOK_AGAIN_MS)
      }
    }
    yield { step: 'groups', app: name }
  }
}
