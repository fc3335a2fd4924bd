import { InvalidArgumentError, Option, type Command } from 'commander'
import { Refused, type Io } from '../io.js'
import { abort, isMoved, lookAtAll, migrateLog, objections, type AppInMove, type Progress } from '../migrate-log/move.js'
import { atSystem, ENVIRONMENT, type LogName, type System } from '../migrate-log/system.js'

interface Options {
  readonly to: LogName
  readonly timeout: number
  readonly dryRun?: true
  readonly abort?: true
  readonly json?: true
}

/** `bahi migrate-log`: from the log in PostgreSQL to Kafka, or back, while the apps run. */
export const register = (program: Command, io: Io): void => {
  program
    .command('migrate-log')
    .description('move a running system from the log in PostgreSQL to Kafka, or back; no message is lost, and none takes effect twice')
    .addOption(new Option('--to <log>', 'where to').choices(['kafka', 'postgres']).makeOptionMandatory())
    .option('--timeout <seconds>', 'how long the log may take to be read to its end, before all goes on as before', seconds, 60)
    .option('--dry-run', 'say where every app is and what stands against it, and change nothing; exit 1 where something does')
    .option('--abort', 'take back what a move that was killed has held')
    .option('--json', 'JSON, one object a line')
    .addHelpText(
      'after',
      `
Start processes with LOG=<where to> beside those that run, and leave them waiting: they take over when the groups are moved. Killed at any
point, run it again. Orders are accepted all the while; what happens between apps stands still from "hold" to "done".

${ENVIRONMENT}`,
    )
    .action((options: Options) => atSystem(io.env, options.to, (system) => run(io, system, options)))
}

const run = async (io: Io, system: System, { to, timeout, dryRun, abort: back, json }: Options): Promise<void> => {
  if (back) {
    await abort(system)
    await io.out(json ? JSON.stringify({ step: 'aborted' }) : `all is published to ${system.from.name}, as before`)
    return
  }
  if (dryRun) return look(io, system, json ?? false)
  let moved = false
  for await (const progress of migrateLog(system, { timeout_ms: timeout * 1_000, signal: io.signal })) {
    moved = true
    await io.out(json ? JSON.stringify(progress) : lineOf(progress, system))
  }
  if (!moved) await io.out(json ? JSON.stringify({ step: 'done', moved: false }) : `everything is in ${to} already`)
  io.say(`now end the processes that still run with LOG=${system.from.name}; nothing comes to them any more`)
}

const look = async (io: Io, system: System, json: boolean): Promise<void> => {
  const all = await lookAtAll(system)
  for (const each of all) await io.out(json ? JSON.stringify(plain(each)) : stateLine(each))
  if (isMoved(all, system.to.name)) return io.say(`everything is in ${system.to.name} already`)
  const wrong = objections(all, system)
  if (wrong.length > 0) throw new Refused(wrong.join('\n'))
  io.say(`nothing stands against moving from ${system.from.name} to ${system.to.name}`)
}

const plain = ({ app, relay, group }: AppInMove): object => ({
  app,
  ...(relay && { relay: { log: relay.log ?? null, heldAt: relay.heldAt?.toString() ?? null, left: relay.left } }),
  group: { ...group, log: group.log ?? null },
})

const stateLine = ({ app, relay, group }: AppInMove): string =>
  [
    app.padEnd(14),
    ...(relay
      ? [`publishes to ${relay.log ?? 'no log yet'}${relay.heldAt === undefined ? '' : `, held at ${relay.heldAt}`}, ${relay.left} left;`]
      : []),
    `reads ${group.log ?? 'no log yet'}, ${group.lag} left, ${group.deferred} put aside, ${group.parked} parked`,
  ].join(' ')

const lineOf = ({ step, app = '', left, paused_ms = 0 }: Progress, { from, to }: System): string => {
  switch (step) {
    case 'hold':
      return `hold: ${app} publishes nothing new`
    case 'publish':
      return left === 0 ? `publish: all that was committed is in ${from.name}` : `publish: ${app} has ${left} left`
    case 'read':
      return left === 0 ? `read: every app has read ${from.name} to its end` : `read: ${app} has ${left} left`
    case 'groups':
      return `groups: ${app} reads ${to.name}`
    case 'relays':
      return `relays: ${app} publishes to ${to.name}`
    case 'done':
      return `done: nothing went from app to app for ${(paused_ms / 1_000).toFixed(1)} s, and until processes with LOG=${to.name} run`
  }
}

const seconds = (text: string): number => {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) throw new InvalidArgumentError('It is a whole number of seconds.')
  return Number(text)
}
