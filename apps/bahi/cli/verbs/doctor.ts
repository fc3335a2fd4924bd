import { systemClock, type Clock } from '#kernel'
import { examine, examineAlone, nodeVersion, report, type Finding } from '#service'
import { Option, type Command } from 'commander'
import { resolve } from 'node:path'
import { environmentOf } from '../../environment.js'
import { runningFrom } from '../../home.js'
import { appUrl } from '../../databases.js'
import { Refused, type Io } from '../io.js'
import { PATIENTS } from '../patients.js'
import { homeOption, homeUrl, secretsOf } from '../place.js'

interface Options {
  readonly app?: keyof typeof PATIENTS
  readonly home: string
  readonly json?: true
}

/** `bahi doctor`: what is wrong, and what to do about each. */
export const register = (program: Command, io: Io): void => {
  program
    .command('doctor')
    .description(
      'check configuration, connections, versions, migrations, topics, clock, lag and invariants, and say what to do; exit 1 where something failed',
    )
    .addOption(new Option('--app <name>', 'one app, by the environment variables that it is started with').choices(Object.keys(PATIENTS)))
    .addOption(homeOption(io))
    .option('--json', 'JSON, one object')
    .addHelpText(
      'after',
      '\nWithout --app it looks at the platform of `npm start`, all of its apps. It changes nothing, waits for nothing longer than 15 s, and prints no secret.',
    )
    .action((options: Options) => doctor(io, options))
}

/** `clock` is a test's to move. */
export const doctor = async (io: Io, { app, home, json }: Options, clock: Clock = systemClock): Promise<void> => {
  if (app === undefined && io.env['DATABASE_URL'])
    throw new Refused('DATABASE_URL is set: say by --app whose it is, or unset it for the platform of `npm start`')
  const findings = app === undefined ? platform(io.env, resolve(home), clock) : examineAlone(app, PATIENTS[app], io.env, clock)
  const ok = await report(untilStopped(findings, io.signal), { json: json ?? false, out: (line) => io.out(line) })
  if (!ok) io.exitCode = 1
}

const untilStopped = async function* (findings: AsyncIterable<Finding>, signal: AbortSignal): AsyncGenerator<Finding> {
  for await (const finding of findings) {
    if (signal.aborted) throw new Refused('stopped')
    yield finding
  }
}

/** Every app of the one process. Whether that runs or not, its PostgreSQL may: then the apps' data is looked at. */
const platform = async function* (env: Io['env'], home: string, clock: Clock): AsyncGenerator<Finding> {
  yield nodeVersion('bahi')
  const tell = (status: Finding['status'], text: string, next?: string): Finding => ({
    app: 'bahi',
    check: 'platform',
    status,
    found: text,
    ...(next && { next }),
  })
  const pid = runningFrom(home)
  let url: string
  try {
    url = await homeUrl(home, PATIENTS.wallet.schema)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    yield tell(
      'failed',
      error.message.split(':', 1)[0] ?? '',
      'start it by `npm start`, or say --home, or --app for an app that runs alone',
    )
    return
  }
  yield pid === undefined
    ? tell(
        'warning',
        `\`npm start\` does not run from ${home}, and its PostgreSQL does: the last one was killed`,
        'start it by `npm start`',
      )
    : tell('ok', `runs from ${home} as process ${pid}`)
  const secrets = secretsOf(home)
  const surroundings = {
    baseUrl: 'http://127.0.0.1:3000',
    secrets,
    databaseUrl: (schema: string) => appUrl(url, schema, secrets.databasePassword),
    env,
  }
  for (const [app, patient] of Object.entries(PATIENTS)) yield* examine(app, patient, environmentOf(surroundings, patient.schema), clock)
}
