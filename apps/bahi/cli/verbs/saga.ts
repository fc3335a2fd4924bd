import { openEventStore } from '#event-store'
import { systemClock, systemIds, type JsonObject } from '#kernel'
import { pgTransactions } from '#postgres'
import { pgSagaStore, SagaDefinitions, SagaEngine, type AnySaga, type SagaStatus } from '#saga'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { userInfo } from 'node:os'
import { OperateSagas, OperateSagasHandler } from '../../../payment-saga/commands/operate-sagas.js'
import { SAGA_STATUSES } from '../../../payment-saga/http/sagas.dto.js'
import { instanceView } from '../../../payment-saga/saga-view.js'
import { sagaDefinitions } from '../../../payment-saga/sagas/definitions.js'
import { streamTypes } from '../../../payment-saga/streams.js'
import type { Io } from '../io.js'
import { atStore, withPlaceOfOne, type Place, type PlaceOptions } from '../place.js'

type Options = Omit<PlaceOptions, 'app'> & { readonly json?: true }
type ListOptions = Options & { readonly type?: string; readonly status?: SagaStatus; readonly definition?: number }
type MigrateOptions = Options & {
  readonly type: string
  readonly from: number
  readonly to: number
  readonly reason: string
  readonly dryRun?: true
}

/** Sagas read, and moved, at once. */
const PAGE = 100

/** Of these only steps and what moves data count here: no saga begins or waits in this process, so its times may be anything. */
const definitionsHere = sagaDefinitions({ UPI_WINDOW_SECONDS: 300, REVIEW_WAIT_SECONDS: 300 })

/** `bahi saga …`: the payment sagas, listed and moved to another version of their definition. `definitions` are those of this release. */
export const register = (program: Command, io: Io, definitions: readonly AnySaga[] = definitionsHere): void => {
  const saga = program.command('saga').description('payment sagas: list them, move them to another version of their definition')
  const types = [...new Set(definitions.map(({ type }) => type))]
  const verb = (name: string, description: string) =>
    withPlaceOfOne(saga.command(name).description(description), io).option('--json', 'JSON, one object a line')

  verb('list', 'sagas, the newest first')
    .addOption(new Option('--type <type>', 'only of this type').choices(types))
    .addOption(new Option('--status <status>', 'only those that are so').choices(SAGA_STATUSES))
    .option('--definition <version>', 'only those on this version of their definition', version)
    .action((options: ListOptions) => at(options, (place) => list(io, place, options)))

  verb('migrate', 'move what has not ended to another version of its definition; exit 1 where some did not fit')
    .addOption(new Option('--type <type>', 'whose instances').choices(types).makeOptionMandatory())
    .requiredOption('--from <version>', 'the version that they run on', version)
    .requiredOption('--to <version>', 'the version under which they are to go on: one of this release', version)
    .requiredOption('--reason <text>', 'kept with each, beside your name')
    .option('--dry-run', 'say of each whether it would be moved, and change nothing')
    .action((options: MigrateOptions) => at(options, (place) => migrate(io, place, definitions, options)))
}

const at = (options: Options, work: (place: Place) => Promise<void>): Promise<void> => atStore({ ...options, app: 'payment-saga' }, work)

const list = async (io: Io, { pool, postgres }: Place, { json, type, status, definition }: ListOptions): Promise<void> => {
  const sagas = pgSagaStore(pool, postgres)
  const filter = {
    ...(type === undefined ? {} : { type }),
    ...(status === undefined ? {} : { status }),
    ...(definition === undefined ? {} : { definition }),
  }
  for (let before: string | undefined; !io.signal.aborted;) {
    const page = await sagas.list(filter, { limit: PAGE, ...(before === undefined ? {} : { before }) })
    for (const each of page) {
      const { id, type: of, definition: on, status: is, waitingFor = '' } = each
      await io.out(json ? JSON.stringify(instanceView(each)) : `${id}  ${of} v${on}  ${is}  ${waitingFor}`.trimEnd())
    }
    if (page.length < PAGE) return
    before = page.at(-1)?.id
  }
}

/** By the same hand as `POST /v1/sagas/migrate`, page after page. What refuses keeps its version; asked for again, what was moved stays moved. */
const migrate = async (io: Io, { pool, postgres }: Place, definitions: readonly AnySaga[], options: MigrateOptions): Promise<void> => {
  const { json, type, from, to, reason, dryRun = false } = options
  const clock = systemClock
  const store = await openEventStore({ pool, postgres, types: streamTypes, publish: () => [], clock, app: 'bahi-cli' })
  try {
    const sagas = pgSagaStore(pool, postgres)
    const engine = new SagaEngine({ commands: store, store: sagas, definitions: new SagaDefinitions(definitions), clock, app: 'bahi-cli' })
    const handler = new OperateSagasHandler(engine, store, sagas, pgTransactions(pool))
    const commandId = `bahi saga migrate ${systemIds.next()}`
    const context = { correlationId: commandId, causationId: commandId }
    const request = { commandId, caller: { sub: userInfo().username }, context, act: { roles: ['console'] } }
    const filter = { type, definition: from, stuckSince: clock.now() }
    let matched = 0
    let moved = 0
    for (let before: string | undefined; !io.signal.aborted;) {
      const page = { limit: PAGE, ...(before === undefined ? {} : { before }) }
      const { items, next } = await handler.execute(new OperateSagas(request, filter, page, { action: 'migrate', to }, reason, dryRun))
      for (const item of items) await io.out(json ? JSON.stringify({ ...item, dryRun }) : lineOf(item, dryRun))
      matched += items.length
      moved += items.filter(({ result }) => result === 'applied' || result === 'matched').length
      io.say(`${moved} of ${matched} ${dryRun ? 'would be moved' : 'moved'} to v${to}`)
      if (next === null) break
      before = next
    }
    if (moved < matched || io.signal.aborted) io.exitCode = 1
  } finally {
    await store.close()
  }
}

const lineOf = ({ sagaId, status, result, detail }: JsonObject, dryRun: boolean): string => {
  const said = result === 'failed' ? 'failed: it is as it was' : `stays: ${String(detail)}`
  return `${String(sagaId)}  ${String(status)}  ${result === 'applied' || result === 'matched' ? (dryRun ? 'would be moved' : 'moved') : said}`
}

const version = (text: string): number => {
  if (!/^[1-9][0-9]{0,6}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 1.')
  return Number(text)
}
