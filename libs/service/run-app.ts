import { readConfig, runStandalone } from '#platform'
import type { Migration } from '#postgres'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { Command } from 'commander'
import Type, { type Static, type TInteger, type TObject, type TProperties, type TString } from 'typebox'
import { environmentText } from './environment-text.js'
import { logSettings } from './log.js'
import { acceptAppLog, awaitReady, keySettings, migrateApp, startSettings } from './start-up.js'

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
  create(config: Static<TObject<P>>): Promise<NestFastifyApplication>
}

/**
 * An app's command line: `start`, which is also what it does when nothing is said, and `migrate`, which a start never does by itself:
 * replicas that start at once must not race for it, and the role that may alter tables need not be the one that serves. Wrong configuration
 * ends with one line that names the variable, and exit code 1.
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
  await program.parseAsync()
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

const migrateAndSay = async <P extends PlaceProperties>(app: AppCommand<P>): Promise<void> => {
  const places = placesOf(app)
  try {
    const ran = await migrateApp({ ...places, name: app.name, migrations: app.migrations })
    process.stdout.write(`${app.name}: ${ran.length === 0 ? 'nothing to migrate' : `${ran.length} migrations ran: ${ran.join(', ')}`}\n`)
  } catch (error) {
    process.stderr.write(`${app.name} cannot migrate: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
}

const acceptAndSay = async <P extends PlaceProperties>(app: AppCommand<P>, all: boolean): Promise<void> => {
  try {
    const moved = await acceptAppLog({ ...placesOf(app), name: app.name, migrations: app.migrations }, all)
    for (const line of moved) process.stdout.write(`${app.name}: ${line}\n`)
    process.stdout.write(`${app.name}: ${moved.length} partitions are read again from the log's first record\n`)
  } catch (error) {
    process.stderr.write(`${app.name} cannot accept the log: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  }
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
