import { systemClock, type Clock } from '#kernel'
import { Option, type Command } from 'commander'
import { resolve } from 'node:path'
import { environmentOf } from '../../environment.js'
import { runningFrom } from '../../home.js'
import { appUrl } from '../../databases.js'
import { examine } from '../doctor/examine.js'
import type { Finding } from '../doctor/finding.js'
import { PATIENTS, type Patient } from '../doctor/patients.js'
import { Refused, type Io } from '../io.js'
import { homeOption, homeUrl, secretsOf } from '../place.js'

interface Options {
  readonly app?: keyof typeof PATIENTS
  readonly home: string
  readonly json?: true
}

const LEAST_NODE = 24

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
  const found: Finding[] = []
  for await (const finding of app === undefined ? platform(io.env, resolve(home), clock) : alone(io.env, app, clock)) {
    if (io.signal.aborted) throw new Refused('stopped')
    found.push(finding)
    if (!json) await io.out(line(finding))
  }
  const failures = found.filter(({ status }) => status === 'failed').length
  const warnings = found.filter(({ status }) => status === 'warning').length
  const ok = failures === 0
  await io.out(json ? JSON.stringify({ ok, findings: found }) : `\n${found.length} checks: ${failures} failed, ${warnings} to look at`)
  if (!ok) io.exitCode = 1
}

const alone = async function* (env: Io['env'], app: keyof typeof PATIENTS, clock: Clock): AsyncGenerator<Finding> {
  yield nodeVersion(app)
  yield* examine(app, PATIENTS[app], env, clock)
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
  for (const [app, patient] of Object.entries<Patient>(PATIENTS))
    yield* examine(app, patient, environmentOf(surroundings, patient.schema), clock)
}

const nodeVersion = (app: string): Finding => {
  const version = process.versions.node
  return Number.parseInt(version, 10) >= LEAST_NODE
    ? { app, check: 'versions', status: 'ok', found: `Node ${version}` }
    : { app, check: 'versions', status: 'failed', found: `Node ${version}`, next: `use Node ${LEAST_NODE} or newer` }
}

const WORDS = { ok: 'ok     ', warning: 'look   ', failed: 'FAILED ' } as const

const line = ({ app, check, status, found, next }: Finding): string =>
  `${WORDS[status]} ${app.padEnd(14)} ${check.padEnd(14)} ${found}${next === undefined ? '' : `\n${' '.repeat(8)}-> ${next}`}`
