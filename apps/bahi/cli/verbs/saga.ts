import { openEventStore } from '#event-store'
import { systemClock } from '#kernel'
import { InvalidConfig, parseConfig } from '#platform'
import { pgSagaStore, type AnySaga, type OperatorAction, type SagaFilter, type SagaInstance, type SagaStatus } from '#saga'
import { InvalidArgumentError, Option, type Command } from 'commander'
import Type from 'typebox'
import { DURATION, durationOf_ms, METHODS, SAGA_STATUSES, SAGA_TYPES } from '../../../payment-saga/http/sagas.dto.js'
import { paymentSagaConfig } from '../../../payment-saga/payment-saga.config.js'
import { instanceView } from '../../../payment-saga/saga-view.js'
import { sagaDefinitions } from '../../../payment-saga/sagas/definitions.js'
import { streamTypes } from '../../../payment-saga/streams.js'
import { keptText, reasonText } from '../audit.js'
import { Refused, type Io } from '../io.js'
import { atStore, withPlaceOfOne, type Place, type PlaceOptions } from '../place.js'
import { operate } from '../sagas/operate.js'
import { sagasOf, show } from '../sagas/show.js'

type Options = Omit<PlaceOptions, 'app'> & { readonly json?: true }
type FilterOptions = { readonly type?: string; readonly status?: SagaStatus; readonly stuckFor?: string }
type ListOptions = Options & FilterOptions & { readonly definition?: number }
type ActOptions = Options & FilterOptions & { readonly reason: string; readonly dryRun?: true }
type MigrateOptions = Options & {
  readonly type: string
  readonly from: number
  readonly to: number
  readonly reason: string
  readonly dryRun?: true
}
type ResumeOptions = Omit<ActOptions, 'reason'> & {
  readonly reason?: string
  readonly step: string
  readonly outcome: 'succeeded' | 'refused'
  readonly evidence: string
  readonly providerPaymentId?: string
  readonly decision?: string
  readonly captured?: string
  readonly method?: string
  readonly walletId?: string
}

/** Sagas read at once. */
const PAGE = 100

/** What a person does here may begin a step, whose times are the app's: where they are set for it, they must be set here too. */
const times = Type.Pick(paymentSagaConfig, ['UPI_WINDOW_SECONDS', 'REVIEW_WAIT_SECONDS'])

/** Read when a hand is laid on a saga: whatever is set wrong here, the other verbs work. */
const definitionsOf = (io: Io): readonly AnySaga[] => {
  try {
    return sagaDefinitions(parseConfig(times, io.env))
  } catch (error) {
    throw error instanceof InvalidConfig ? new Refused(error.message) : error
  }
}

/** `bahi saga …`: the payment sagas at a console. `given` are the definitions to work by; those of this release unless given. */
export const register = (program: Command, io: Io, given?: readonly AnySaga[]): void => {
  const saga = program
    .command('saga')
    .description('payment sagas: list them, look at one, help those that need it, move them to another version')
  const types = given ? [...new Set(given.map(({ type }) => type))] : SAGA_TYPES
  const verb = (name: string, description: string) =>
    withPlaceOfOne(saga.command(name).description(description), io).option('--json', 'JSON, one object a line')
  const filtered = (command: Command) =>
    command
      .addOption(new Option('--type <type>', 'only of this type').choices(types))
      .addOption(new Option('--status <status>', 'only those that are so').choices(SAGA_STATUSES))
      .option('--stuck-for <duration>', 'only those where nothing has happened for so long: 90s, 15m, 2h, 1d', duration)
  const acting = (name: string, description: string) =>
    filtered(verb(`${name} [ids...]`, `${description}; exit 1 where some could not be`)).option(
      '--dry-run',
      'say of each whether it could be, and change nothing',
    )
  const act = (
    ids: readonly string[],
    options: Options & FilterOptions & { dryRun?: true },
    operator: OperatorAction,
    reason: string,
    done: string,
  ) =>
    at(options, async (place) => {
      const of = await named(place, types, ids, filterOf(options))
      await operate(io, place, given ?? definitionsOf(io), {
        operator,
        of,
        reason,
        done,
        dryRun: options.dryRun ?? false,
        json: options.json ?? false,
      })
    })

  filtered(verb('list', 'sagas, the newest first'))
    .option('--definition <version>', 'only those on this version of their definition', version)
    .action((options: ListOptions) => at(options, (place) => list(io, place, options)))

  verb('show <id>', 'a saga, or those about an order, a load or a refund: each step with its attempts and timers, and what happened')
    .option('--all', 'all that happened, however long')
    .action((id: string, options: Options & { all?: true }) => at(options, (place) => showAll(io, place, types, id, options)))

  acting('retry', 'try again what waits for a person: the same call where its outcome is unknown, a new one where it was refused')
    .requiredOption('--reason <text>', 'kept with each, beside your name', reasonText)
    .option('--step <name>', 'only this step')
    .action((ids: string[], options: ActOptions & { step?: string }) =>
      act(ids, options, { action: 'retry', ...(options.step === undefined ? {} : { step: options.step }) }, options.reason, 'tried again'),
    )

  acting('compensate', 'turn back, and undo all that was done; refused past the pivot')
    .requiredOption('--reason <text>', 'kept with each, beside your name', reasonText)
    .action((ids: string[], options: ActOptions) => act(ids, options, { action: 'compensate' }, options.reason, 'turned back'))

  acting('resume', 'settle a step by what you found out, such as at the provider')
    .requiredOption('--step <name>', 'which')
    .addOption(new Option('--outcome <outcome>', 'what became of it').choices(['succeeded', 'refused']).makeOptionMandatory())
    .requiredOption('--evidence <text>', 'how it is known: a line of the settlement file, a call. No personal data', keptText(1_000))
    .option('--reason <text>', 'kept beside your name; the evidence where it is not said', reasonText)
    .option('--provider-payment-id <id>', "the provider's id of the payment, where no answer has told it")
    .addOption(new Option('--decision <decision>', 'of a score or a review').choices(['approve', 'review', 'decline']))
    .option('--captured <paise>', 'what was taken of the customer', paiseOf)
    .addOption(new Option('--method <method>', 'how it was taken').choices(METHODS))
    .option('--wallet-id <id>', 'of which wallet')
    .action((ids: string[], options: ResumeOptions) => {
      const { step, outcome, evidence, reason = evidence } = options
      return act(ids, options, { action: 'resume', step, outcome, evidence, told: toldOf(options) }, reason, 'settled')
    })

  verb('migrate', 'move what has not ended to another version of its definition; exit 1 where some did not fit')
    .addOption(new Option('--type <type>', 'whose instances').choices(types).makeOptionMandatory())
    .requiredOption('--from <version>', 'the version that they run on', version)
    .requiredOption('--to <version>', 'the version under which they are to go on: one of this release', version)
    .requiredOption('--reason <text>', 'kept with each, beside your name', reasonText)
    .option('--dry-run', 'say of each whether it would be moved, and change nothing')
    .action((options: MigrateOptions) =>
      at(options, (place) => {
        const { type, from, to, reason, dryRun = false, json = false } = options
        const of = { filter: { type, definition: from, stuckSince: systemClock.now() } }
        return operate(io, place, given ?? definitionsOf(io), {
          operator: { action: 'migrate', to },
          of,
          reason,
          dryRun,
          json,
          done: `moved to v${to}`,
        })
      }),
    )
}

const at = (options: Options, work: (place: Place) => Promise<void>): Promise<void> => atStore({ ...options, app: 'payment-saga' }, work)

const filterOf = ({ type, status, stuckFor }: FilterOptions): SagaFilter => ({
  ...(type === undefined ? {} : { type }),
  ...(status === undefined ? {} : { status }),
  ...(stuckFor === undefined ? {} : { stuckSince: Math.max(systemClock.now() - durationOf_ms(stuckFor), 0) }),
})

/** By their ids or by a filter: not all there are, which nobody means. */
const named = async ({ pool, postgres }: Place, types: readonly string[], ids: readonly string[], filter: SagaFilter) => {
  const filters = Object.keys(filter).length > 0
  if (ids.length > 0 === filters) throw new Refused('say which sagas: by their ids, or by --type, --status or --stuck-for')
  if (filters) return { filter }
  const sagas = pgSagaStore(pool, postgres)
  const these = await Promise.all(ids.map((id) => sagasOf(sagas, types, id)))
  return { these: [...new Map(these.flat().map((each) => [each.id, each])).values()] }
}

const list = async (io: Io, { pool, postgres }: Place, { json, definition, ...options }: ListOptions): Promise<void> => {
  const sagas = pgSagaStore(pool, postgres)
  const filter = { ...filterOf(options), ...(definition === undefined ? {} : { definition }) }
  for (let before: string | undefined; !io.signal.aborted;) {
    const page = await sagas.list(filter, { limit: PAGE, ...(before === undefined ? {} : { before }) })
    for (const each of page) await io.out(json ? JSON.stringify(instanceView(each)) : lineOf(each))
    if (page.length === 0 && before === undefined) io.say('there is no such saga')
    if (page.length < PAGE) return
    before = page.at(-1)?.id
  }
}

const lineOf = ({ id, type, definition, status, correlationKey, updatedAt, waitingFor }: SagaInstance): string =>
  [id, `${type} v${definition}`, status, `about ${correlationKey}`, `since ${new Date(updatedAt).toISOString()}`, waitingFor ?? '']
    .join('  ')
    .trimEnd()

const showAll = async (
  io: Io,
  { pool, postgres }: Place,
  types: readonly string[],
  id: string,
  { all, json }: Options & { all?: true },
) => {
  const found = await sagasOf(pgSagaStore(pool, postgres), types, id)
  const store = await openEventStore({ pool, postgres, types: streamTypes, publish: () => [], clock: systemClock, app: 'bahi-cli' })
  try {
    for (const row of found) await show(io, store, row, all ?? false, json ?? false)
  } finally {
    await store.close()
  }
}

const TOLD = ['providerPaymentId', 'decision', 'captured', 'method', 'walletId'] as const
const toldOf = (options: ResumeOptions): Record<string, string> =>
  Object.fromEntries(TOLD.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])))

const version = (text: string): number => {
  if (!/^[1-9][0-9]{0,6}$/.test(text)) throw new InvalidArgumentError('It is a whole number from 1.')
  return Number(text)
}

const duration = (text: string): string => {
  if (!new RegExp(DURATION).test(text))
    throw new InvalidArgumentError('It is a number of seconds, or a number with s, m, h or d behind it.')
  return text
}

const paiseOf = (text: string): string => {
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) throw new InvalidArgumentError('It is a number of paise.')
  return text
}
