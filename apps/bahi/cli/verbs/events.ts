import {
  CheckpointRefused,
  differences,
  exportEvents,
  ImportRefused,
  importEvents,
  listStreams,
  pgEvents,
  readCheckpoint,
  renewIncarnation,
  RenewRefused,
  replayStream,
  stateAt,
  verifyAll,
  writeCheckpoint,
  type Difference,
  type RecordedEvent,
  type Transferred,
} from '#event-store'
import { systemClock } from '#kernel'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { registerArchives } from '../archives.js'
import { fromFile, Refused, toFile, type Io } from '../io.js'
import { atStore, withPlace, type PlaceOptions } from '../place.js'

type Options = PlaceOptions & { readonly json?: true }

/** `bahi events …`: what an event store keeps, looked at, verified, taken elsewhere. What is personal stays sealed. */
export const register = (program: Command, io: Io): void => {
  const events = program
    .command('events')
    .description('look into an event store: list, read, follow, compare, verify, archive, export, import, renew')
  const verb = (name: string, description: string) =>
    withPlace(events.command(name).description(description), io).option('--json', 'JSON, one object a line')

  verb('streams', 'the streams, by name')
    .option('--category <name>', 'only of this category')
    .option('--limit <count>', 'at most so many', whole)
    .action((options: Options & { category?: string; limit?: number }) => streams(io, options))

  verb('read [stream]', 'the events of a stream, or of all in commit order')
    .option('--from <version>', 'of a stream: from this version', whole)
    .option('--to <version>', 'of a stream: up to this version', whole)
    .option('--after <position>', 'of all: after this position', position)
    .option('--category <name>', 'of all: only of this category')
    .addOption(untilOption())
    .option('--limit <count>', 'at most so many', whole)
    .action((stream: string | undefined, options: Options & ReadOptions) => read(io, stream, options))

  verb('follow', 'what is appended from now on, in commit order, until Ctrl-C')
    .option('--after <position>', 'from after this position instead of from now', position)
    .option('--category <name>', 'only of this category')
    .action((options: Options & { after?: bigint; category?: string }) => follow(io, options))

  verb('diff <stream> <before> <after>', 'how the state of a stream differs between two versions').action(
    (stream: string, before: string, after: string, options: Options) => diff(io, stream, whole(before), whole(after), options),
  )

  verb('replay <stream>', "where today's code folds a stream to another state than the snapshots of it say").action(
    (stream: string, options: Options) => replay(io, stream, options),
  )

  verb('verify [stream]', 'recompute the hash chain of a stream, or of all; exit 1 where one does not hold')
    .option('--checkpoint <file>', 'of all: hold it against what was signed then, and say which archives were taken out since')
    .option('--public-key <pem>', 'the key that the checkpoint was signed with')
    .action((stream: string | undefined, options: Options & { checkpoint?: string; publicKey?: string }) => verify(io, stream, options))

  verb('checkpoint', 'write the heads of all streams to a file and sign it; keep it, and the key, away from the database')
    .requiredOption('--key <pem>', 'an Ed25519 key: `openssl genpkey -algorithm ed25519`')
    .requiredOption('--out <file>', 'a new file, or - for the output')
    .action((options: Options & { key: string; out: string }) => checkpoint(io, options))

  verb(
    'export',
    'every event in commit order, and the kept answers to commands, as lines of JSON; not timers, tasks of sagas, places of consumers, nor what is not sent yet',
  )
    .option('--out <file>', 'a new file instead of the output', '-')
    .action((options: Options & { out: string }) => exportAll(io, options))

  verb(
    'import <file>',
    'bring an export into an empty store, with the same hashes and answers, all or nothing; what else an app keeps does not come along',
  ).action((file: string, options: Options) => importAll(io, file, options))

  verb(
    'renew',
    'after a backup was restored, before the app starts on it: its consumers know a longer past, and follow the new one',
  ).action((options: Options) => renew(io, options))

  registerArchives(verb, io)
}

interface ReadOptions {
  readonly from?: number
  readonly to?: number
  readonly after?: bigint
  readonly until?: number
  readonly category?: string
  readonly limit?: number
}

const streams = (io: Io, { json, category, limit = Infinity, ...place }: Options & { category?: string; limit?: number }) =>
  atStore(place, async ({ pool }) => {
    let left = limit
    for await (const each of listStreams(pool, category)) {
      if (left-- <= 0 || io.signal.aborted) return
      const at = new Date(each.recordedAt).toISOString()
      await io.out(json ? JSON.stringify({ ...each, recordedAt: at }) : `${at}  ${String(each.version).padStart(7)}  ${each.stream}`)
    }
  })

const read = (
  io: Io,
  stream: string | undefined,
  { json, from = 1, to, after = 0n, until, category, limit = Infinity, ...place }: Options & ReadOptions,
) =>
  atStore(place, async ({ pool, types }) => {
    const reader = pgEvents(pool, types, systemClock)
    const bounds = { limit, ...(until === undefined ? {} : { until }) }
    const found =
      stream === undefined
        ? reader.readAll({ after, ...bounds, ...(category === undefined ? {} : { category }) })
        : reader.readStream(stream, { from, ...bounds, ...(to === undefined ? {} : { to }) })
    for await (const event of found) {
      if (io.signal.aborted) return
      await io.out(eventLine(event, json))
    }
  })

const follow = (io: Io, { json, after, category, ...place }: Options & { after?: bigint; category?: string }) =>
  atStore(place, async ({ pool, types }) => {
    const { rows } = await pool.query<{ position: bigint }>('SELECT position FROM store')
    const from = after ?? rows[0]?.position ?? 0n
    const reader = pgEvents(pool, types, systemClock)
    for await (const event of reader.readAll({ after: from, follow: io.signal, ...(category === undefined ? {} : { category }) }))
      await io.out(eventLine(event, json))
  })

const diff = (io: Io, stream: string, before: number, after: number, { json, ...place }: Options) =>
  atStore(place, async ({ pool, types }) => {
    const [one, other] = [await stateAt(pool, types, stream, before), await stateAt(pool, types, stream, after)]
    if (!one || !other) throw new Refused(`${stream} is of no category that ${place.app} knows`)
    const found = differences(one.state, other.state)
    if (json) return io.out(JSON.stringify({ stream, before: one.version, after: other.version, differences: found }))
    for (const each of found) await io.out(differenceLine(each))
  })

const replay = (io: Io, stream: string, { json, ...place }: Options) =>
  atStore(place, async ({ pool, types }) => {
    const found = await replayStream(pool, types, stream)
    if (found.length === 0) io.say(`${stream} has no snapshot to compare with`)
    for (const each of found) {
      if (json) await io.out(JSON.stringify(each))
      else if (each.differences.length === 0) await io.out(`version ${each.version}: the same`)
      else for (const one of each.differences) await io.out(`version ${each.version}: ${differenceLine(one)}`)
    }
  })

const verify = (io: Io, stream: string | undefined, { json, checkpoint: file, publicKey, ...place }: Options & VerifyOptions) =>
  atStore(place, async ({ pool, types }) => {
    if (stream !== undefined) {
      const result = await pgEvents(pool, types, systemClock).verify(stream)
      if (!result.ok) io.exitCode = 1
      const text = result.ok ? `ok: ${result.checkedEvents} events` : `does not hold from version ${result.brokenAt} on`
      return io.out(json ? JSON.stringify({ stream, ...result }) : `${stream}: ${text}`)
    }
    const known = file === undefined ? undefined : await checkedHeads(file, publicKey)
    const began_ms = systemClock.now()
    const found = await verifyAll(pool, known?.heads(), { types, ...(known ? { seal: known.seal } : {}) })
    const { streams: count, events, elsewhere, takenOut = [], incarnation, faults } = found
    if (faults.length > 0) io.exitCode = 1
    const beyond = known
      ? {
          checkpoint: known.seal.at,
          undetectableAfterPosition: known.seal.position,
          takenOut,
          ...(incarnation === undefined ? {} : { incarnation, signedOf: known.seal.incarnation }),
        }
      : {}
    if (json)
      return io.out(
        JSON.stringify({
          ok: faults.length === 0,
          streams: count,
          events,
          elsewhere,
          faults,
          took_ms: systemClock.now() - began_ms,
          ...beyond,
        }),
      )
    for (const each of faults) await io.out(`${each.stream}: ${each.fault} at version ${each.version}`)
    await io.out(`${faults.length === 0 ? 'ok' : `${faults.length} streams do not hold`}: ${count} streams, ${events} events`)
    if (elsewhere > 0) await io.out(`of ${elsewhere} of the streams nothing is said: their archives are not in this database`)
    if (takenOut.length > 0)
      await io.out(
        `taken out since the checkpoint, or archived since and taken out: ${takenOut.join(', ')}. Whoever did not do so has lost them`,
      )
    if (known && incarnation !== undefined)
      await io.out(
        `the checkpoint is of incarnation ${known.seal.incarnation}, the store is ${incarnation}: another, or brought back from a backup since`,
      )
    await io.out(
      known
        ? `as signed at ${known.seal.at}; whole chains rewritten after position ${known.seal.position} could not be told`
        : 'without a checkpoint a chain that was rewritten whole cannot be told',
    )
  })

interface VerifyOptions {
  readonly checkpoint?: string
  readonly publicKey?: string
}

/** Read twice: nothing of a checkpoint counts before its signature, which is its last line. */
const checkedHeads = async (file: string, publicKey: string | undefined) => {
  if (publicKey === undefined) throw new Refused('a checkpoint needs --public-key')
  const key = keyOf(publicKey, createPublicKey)
  const heads = () => readCheckpoint(fromFile(file), key)
  const all = heads()
  for (;;) {
    const next = await all.next().catch(refusing(CheckpointRefused))
    if (next.done === true) return { heads, seal: next.value }
  }
}

const checkpoint = (io: Io, { json, key, out, ...place }: Options & { key: string; out: string }) =>
  atStore(place, async ({ pool }) => {
    const signing = keyOf(key, createPrivateKey)
    const seal = await toFile(io, out, (write) => writeCheckpoint(pool, signing, systemClock.now(), write))
    if (out !== '-') await io.out(json ? JSON.stringify(seal) : `${seal.streams} heads up to position ${seal.position}, root ${seal.root}`)
  })

const exportAll = (io: Io, { json, out, ...place }: Options & { out: string }) =>
  atStore(place, async ({ pool }) => {
    const { unsent, ...exported } = await toFile(io, out, (write) => exportEvents(pool, write))
    if (out !== '-') await io.out(json ? JSON.stringify({ ...exported, unsent }) : transferred(exported))
    if (unsent.events + unsent.messages > 0)
      io.say(
        `the relay had not passed ${unsent.events} of the events, nor ${unsent.messages} messages that no event carries: whoever imports this does not send them. ` +
          'Where the import is to go on in its place, let the relay come to its end with nobody writing, and export again',
      )
  })

const importAll = (io: Io, file: string, { json, ...place }: Options) =>
  atStore(place, async ({ pool, types }) => {
    const imported = await importEvents(pool, fromFile(file), types).catch(refusing(ImportRefused))
    await io.out(json ? JSON.stringify(imported) : transferred(imported))
  })

const transferred = ({ events, commands }: Transferred): string => `${events} events, ${commands} answers to commands`

const renew = (io: Io, { json, ...place }: Options) =>
  atStore(place, async ({ pool }) => {
    const renewed = await renewIncarnation(pool).catch(refusing(RenewRefused))
    await io.out(
      json ? JSON.stringify({ app: place.app, ...renewed }) : `${place.app}: incarnation ${renewed.after}, before ${renewed.before}`,
    )
  })

const eventLine = (event: RecordedEvent, json: boolean | undefined): string => {
  const { stream, version, type, schemaVersion, data, metadata } = event
  const at = new Date(event.recordedAt).toISOString()
  const place = { position: event.position.toString(), stream, version, type, schemaVersion, at }
  if (json) return JSON.stringify({ ...place, data, metadata, hash: Buffer.from(event.hash).toString('hex') })
  return `${place.position.padStart(7)}  ${at}  ${stream}@${version}  ${type}  ${JSON.stringify(data)}  by ${metadata.actor}`
}

const differenceLine = ({ path, before, after }: Difference): string =>
  `${path}: ${before === undefined ? '(none)' : JSON.stringify(before)} -> ${after === undefined ? '(none)' : JSON.stringify(after)}`

const keyOf = (file: string, make: (pem: string) => KeyObject): KeyObject => {
  try {
    const key = make(readFileSync(file, 'utf8'))
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch {
    // Said below, without what the file holds.
  }
  throw new Refused(`${file} is not an Ed25519 key in PEM`)
}

const refusing =
  (kind: typeof CheckpointRefused | typeof ImportRefused | typeof RenewRefused) =>
  (error: unknown): never => {
    throw error instanceof kind ? new Refused(error.message) : error
  }

const untilOption = (): Option =>
  new Option('--until <time>', 'recorded not after this: 2026-11-01T10:00:00Z').argParser((text) => {
    const time = Date.parse(text)
    if (Number.isNaN(time)) throw new InvalidArgumentError('A time looks like 2026-11-01T10:00:00Z.')
    return time
  })

const whole = (text: string): number => {
  if (!/^[0-9]{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number.')
  return Number(text)
}

const position = (text: string): bigint => BigInt(whole(text))
