import type { AnyStreamType } from '#event-store'
import { systemClock } from '#kernel'
import { baseConfig, parseConfig, personalDataConfig, readConfig, runStandalone } from '#platform'
import type { Migration } from '#postgres'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { Command, InvalidArgumentError } from 'commander'
import { once } from 'node:events'
import Type, { type Static, type TInteger, type TObject, type TProperties, type TString } from 'typebox'
import { examineAlone, report, type Patient } from './doctor/index.js'
import { environmentText } from './environment-text.js'
import type { Invariant } from './invariants.js'
import { logSettings } from './log.js'
import { acceptAppLog, awaitReady, keySettings, migrateApp, startSettings } from './start-up.js'
import { archiveOld, checkpointSettings, keepCheckpoint, publicLine, signingKey, streamCheckpoint } from './upkeep.js'

/** What every app's schema has. */
interface PlaceProperties extends TProperties {
  readonly PORT: TInteger
  readonly DATABASE_URL: TString
  readonly DATABASE_SCHEMA: TString
}

export interface AppCommand<P extends PlaceProperties> {
  /** `wallet`: the folder in `apps`. */
  readonly name: string
  /** One line for `--help`. */
  readonly description: string
  /** The environment. */
  readonly config: TObject<P>
  /** All of its database. */
  readonly migrations: readonly Migration[]
  /** Its configuration names the keys of persons, and it is the one that makes them: it migrates their database too. */
  readonly makesSubjectKeys?: true
  /** What its event store keeps, where it has one: then it can be archived and signed. */
  readonly types?: readonly object[]
  /** What `doctor` asks of its data; an app without has no such command. */
  readonly invariants?: readonly Invariant[]
  /** It has a relay that publishes from its event store. */
  readonly publishes?: true
  create(config: Static<TObject<P>>): Promise<NestFastifyApplication>
}

/**
 * An app's command line: `start`, which is also what it does when nothing is said, and `migrate`, which a start never does by itself:
 * replicas that start at once must not race for it, and the role that may alter tables need not be the one that serves. `doctor` says what is wrong,
 * from where the app runs. `checkpoint` and `archive` are for once a day, and for an app with an event store. Wrong configuration ends with one line that names the variable, and exit code 1.
 */
export const runApp = async <P extends PlaceProperties>(app: AppCommand<P>): Promise<void> => {
  const program = new Command(app.name)
    .description(app.description)
    .addHelpText('after', () => `\n${environmentText(Type.Object({ ...app.config.properties, ...startSettings }))}`)
  program
    .command('start', { isDefault: true })
    .description('serve until SIGTERM, then finish what is under way (the default)')
    .action(() => start(app))
  program
    .command('migrate')
    .description('bring the database to the shape that this version needs, then end; needs to know only where that is')
    .action(() => migrateAndSay(app))
  if ('LOG' in app.config.properties) {
    program
      .command('accept-log')
      .description('take the log as it is, where it lost records: read from its first one, passing over what was handled')
      .option('--all', 'every partition, also where nothing seems to be missing')
      .action(({ all = false }: { readonly all?: boolean }) => acceptAndSay(app, all))
  }
  const { types, invariants } = app
  if (invariants) {
    program
      .command('doctor')
      .description('check configuration, connections, versions, migrations, topics, clock, lag and invariants, and say what to do')
      .option('--json', 'JSON, one object')
      .addHelpText('after', '\nIt changes nothing and prints no secret. Each check has 15 s. Exit code 1 where one failed.')
      .action(({ json = false }: { readonly json?: boolean }) => lookAt(app, invariants, json))
  }
  if (types) registerUpkeep(program, app, types as readonly AnyStreamType[])
  await program.parseAsync()
}

const registerUpkeep = <P extends PlaceProperties>(program: Command, app: AppCommand<P>, types: readonly AnyStreamType[]): void => {
  program
    .command('checkpoint')
    .description('write the heads of all streams, signed by CHECKPOINT_KEY, to keep where the database does not reach')
    .option('--folder <path>', 'as a new file there; without it, to the output')
    .option('--keep <count>', 'in the folder, the newest of this app', whole, 35)
    .action((options: { readonly folder?: string; readonly keep: number }) =>
      orSay(app, 'cannot be signed', () => checkpoint(app, options)),
    )
  program
    .command('archive')
    .description('set aside closed streams that have grown old; holds up nobody')
    .option('--idle-days <days>', 'only partitions to which nothing was appended for so long', whole, 90)
    .action(({ idleDays }: { readonly idleDays: number }) => orSay(app, 'cannot be archived', () => archive(app, types, idleDays)))
}

const start = async <P extends PlaceProperties>(app: AppCommand<P>): Promise<void> => {
  const config = readConfig(app.config)
  const places = placesOf(app)
  const { PORT } = readConfig(Type.Object({ PORT: port(app) }))
  // As the first process of a container nobody else ends it while it still waits for something.
  const quit = (): never => process.exit(143)
  process.on('SIGTERM', quit)
  const create = async () => {
    await awaitReady({ ...places, name: app.name, migrations: app.migrations })
    return app.create(config)
  }
  await runStandalone(create, { name: app.name, port: PORT })
  process.off('SIGTERM', quit)
}

const lookAt = async <P extends PlaceProperties>(app: AppCommand<P>, invariants: readonly Invariant[], json: boolean): Promise<void> => {
  const { DATABASE_SCHEMA }: PlaceProperties = app.config.properties
  const patient: Patient = {
    read: (env) => {
      // All of it is to be right; what is looked at is a part.
      parseConfig(app.config, env)
      const personal = 'KEYS_DATABASE_URL' in app.config.properties ? personalDataConfig : {}
      return parseConfig(Type.Object({ ...baseConfig, ...personal, DATABASE_SCHEMA }), env)
    },
    migrations: app.migrations,
    invariants,
    publishes: app.publishes ?? false,
  }
  await orSay(app, 'cannot be looked at', async () => {
    const ok = await report(examineAlone(app.name, patient, process.env, systemClock), { json, out: put })
    if (!ok) process.exitCode = 1
  })
}

const checkpoint = async <P extends PlaceProperties>(
  app: AppCommand<P>,
  { folder, keep }: { readonly folder?: string; readonly keep: number },
): Promise<void> => {
  const key = signingKey(readConfig(checkpointSettings).CHECKPOINT_KEY)
  const place = { name: app.name, ...placesOf(app) }
  if (folder === undefined) {
    await streamCheckpoint(place, key, put)
    return
  }
  const { file, streams, position, root } = await keepCheckpoint(place, key, { folder, keep })
  const what = `${streams} heads up to position ${position}, root ${root}`
  process.stdout.write(`${app.name}: ${file}: ${what}, signed by ${publicLine(key)}\n`)
}

const archive = async <P extends PlaceProperties>(app: AppCommand<P>, types: readonly AnyStreamType[], idleDays: number): Promise<void> => {
  const stop = new AbortController()
  process.once('SIGTERM', () => stop.abort())
  await archiveOld({ name: app.name, ...placesOf(app) }, types, {
    idleDays,
    signal: stop.signal,
    onArchived: ({ partition, streams, moved }) =>
      void process.stdout.write(`${app.name}: ${partition}: ${streams} streams archived, ${moved} events moved forward\n`),
    // What a parser says may quote what it could not parse.
    onUnreadable: (stream) => void process.stderr.write(`${app.name}: ${stream} cannot be read, and stays in use\n`),
  })
  process.stdout.write(`${app.name}: nothing more is full, published, and without an append for ${idleDays} days\n`)
}

const put = async (line: string): Promise<void> => {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain')
}

const whole = (text: string): number => {
  if (!/^[0-9]{1,5}$/.test(text)) throw new InvalidArgumentError('It is a whole number.')
  return Number(text)
}

/** What fails ends with one line and exit code 1. */
const orSay = async (app: { readonly name: string }, what: string, work: () => Promise<void>): Promise<void> => {
  try {
    await work()
  } catch (error) {
    process.stderr.write(`${app.name} ${what}: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}

const migrateAndSay = async <P extends PlaceProperties>(app: AppCommand<P>): Promise<void> => {
  const places = placesOf(app)
  await orSay(app, 'cannot migrate', async () => {
    const ran = await migrateApp({ ...places, name: app.name, migrations: app.migrations })
    process.stdout.write(`${app.name}: ${ran.length === 0 ? 'nothing to migrate' : `${ran.length} migrations ran: ${ran.join(', ')}`}\n`)
  })
}

const acceptAndSay = async <P extends PlaceProperties>(app: AppCommand<P>, all: boolean): Promise<void> => {
  await orSay(app, 'cannot accept the log', async () => {
    const moved = await acceptAppLog({ ...placesOf(app), name: app.name, migrations: app.migrations }, all)
    for (const line of moved) process.stdout.write(`${app.name}: ${line}\n`)
    process.stdout.write(`${app.name}: ${moved.length} partitions are read again from the log's first record\n`)
  })
}

/** Widened, so that what is read has a plain type. */
const port = ({ config: { properties } }: { readonly config: { readonly properties: PlaceProperties } }): TInteger => properties.PORT

/** Where the app's database and log are: read apart, since `migrate` needs no more than that. */
const placesOf = ({
  config: { properties },
  makesSubjectKeys,
}: {
  readonly config: { readonly properties: PlaceProperties }
  readonly makesSubjectKeys?: true
}) => {
  const { DATABASE_URL, DATABASE_SCHEMA }: PlaceProperties = properties
  const settings = readConfig(Type.Object({ DATABASE_URL, DATABASE_SCHEMA, ...startSettings }))
  const keys = makesSubjectKeys ? readConfig(keySettings) : undefined
  return { ...settings, keys, log: 'LOG' in properties ? readConfig(logSettings) : undefined }
}
