import type { Clock } from '#kernel'
import { asMemory } from '#kernel/testing'
import { at, takenOf, type ClaimedTask, type SagaInstance, type SagaStore, type SagaTask } from '../store.js'

/** The saga store in memory, for tests and the simulator. */
export const memorySagaStore = (
  clock: Pick<Clock, 'now'>,
): SagaStore & { tasks(): readonly SagaTask[]; instances(): readonly SagaInstance[] } => {
  const instances = new Map<string, SagaInstance>()
  const tasks = new Map<string, ClaimedTask>()
  const holders = new Map<string, bigint | undefined>()
  const workers = new Map<bigint, number>()
  const bells = new Set<() => void>()
  let epoch = 0n
  const open = ({ status }: SagaInstance) => status !== 'COMPLETED' && status !== 'COMPENSATED'
  const sorted = () => [...tasks.values()].sort((a, b) => a.dueAt - b.dueAt || (at(a) < at(b) ? -1 : 1))

  return {
    tasks: () => sorted(),
    instances: () => [...instances.values()],
    async save(changes, tx, take) {
      const taken = takenOf(changes.tasks, take)
      const claimed = [...taken.values()].map((task) => ({ ...task, epoch: ++epoch }))
      asMemory(tx).onCommit(() => {
        for (const instance of changes.instances) instances.set(instance.id, instance)
        for (const task of [...changes.removed, ...changes.tasks]) holders.delete(at(task))
        for (const task of changes.removed) tasks.delete(at(task))
        for (const task of changes.tasks) {
          const dueAt = task.dueAt - changes.now + clock.now()
          tasks.set(at(task), { ...task, dueAt, epoch: tasks.get(at(task))?.epoch ?? 0n })
        }
        for (const task of claimed) {
          holders.set(at(task), take?.worker)
          tasks.set(at(task), { ...task, dueAt: clock.now() + (take?.lease_ms ?? 0) })
        }
        if (changes.tasks.length > taken.size) for (const ring of bells) ring()
        take?.taken(claimed)
      })
    },
    async claim({ limit, lease_ms, worker }) {
      const now = clock.now()
      const due = sorted().filter(({ dueAt }) => dueAt <= now)
      return due.slice(0, limit).map((task) => {
        const claimed = { ...task, dueAt: now + lease_ms, epoch: ++epoch }
        holders.set(at(task), worker)
        tasks.set(at(task), claimed)
        return claimed
      })
    },
    async held(claims) {
      return new Set(claims.flatMap((claim, nth) => (tasks.get(at(claim))?.epoch === claim.epoch ? [nth] : [])))
    },
    async beat({ worker, alive_ms }) {
      const now = clock.now()
      const own = worker !== undefined && workers.has(worker) ? worker : ++epoch
      workers.set(own, now + alive_ms)
      const dead = new Set([...workers].flatMap(([id, alive_until]) => (alive_until < now && id !== worker ? [id] : [])))
      for (const id of dead) workers.delete(id)
      for (const [key, task] of tasks) if (dead.has(holders.get(key) ?? -1n)) tasks.set(key, { ...task, dueAt: 0 })
      if (dead.size > 0) for (const ring of bells) ring()
      return own
    },
    async dueIn() {
      const [first] = sorted()
      return first && first.dueAt - clock.now()
    },
    async onDoorbell(ring) {
      bells.add(ring)
      return { close: async () => void bells.delete(ring) }
    },
    instance: async (id) => instances.get(id),
    async list({ type, definition, status, stuckSince }, { before, limit }) {
      return [...instances.values()]
        .filter((instance) => (type === undefined || instance.type === type) && (status === undefined || instance.status === status))
        .filter((instance) => definition === undefined || instance.definition === definition)
        .filter((instance) => stuckSince === undefined || (open(instance) && instance.updatedAt <= stuckSince))
        .filter(({ id }) => before === undefined || id < before)
        .sort((a, b) => (a.id < b.id ? 1 : -1))
        .slice(0, limit)
    },
    async definitionsInUse() {
      const groups = Map.groupBy([...instances.values()].filter(open), ({ type, definition }) => `${type} ${definition}`)
      return [...groups.values()].flatMap((group) => {
        const [first] = group.sort((a, b) => (a.id < b.id ? -1 : 1))
        const examples = group.slice(0, 5).map(({ id }) => id)
        return first ? [{ type: first.type, version: first.definition, count: group.length, examples }] : []
      })
    },
    async counts() {
      const groups = Map.groupBy([...instances.values()].filter(open), ({ type, status }) => `${type} ${status}`)
      return [...groups.values()].flatMap((group) =>
        group[0]
          ? [
              {
                type: group[0].type,
                status: group[0].status,
                count: group.length,
                since_ms: Math.min(...group.map(({ startedAt }) => startedAt)),
              },
            ]
          : [],
      )
    },
  }
}
