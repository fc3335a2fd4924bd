import type { Clock } from '#kernel'
import type { GroupStanding, LogDriver } from '#messaging'
import { topicSpecs } from '../log.js'
import { failed, patiently, reasonOf, type Told } from './finding.js'
import type { PatientConfig } from './patient.js'

/** As the alert ConsumerLag. */
const MOST_WAITING_MS = 5_000

/** Whether the log is there with its topics, and how far the app is behind it. */
export const logFindings = async (app: string, driver: LogDriver, config: PatientConfig, clock: Clock): Promise<readonly Told[]> => {
  const variable = config.LOG === 'kafka' ? 'KAFKA_BROKERS' : config.LOG_DATABASE_URL ? 'LOG_DATABASE_URL' : 'DATABASE_URL'
  try {
    const topics = await patiently(topicsThere(app, driver, config))
    const standings = (await patiently(driver.groups())).filter(({ group }) => group === app)
    return [{ check: 'log', status: 'ok', found: `${config.LOG} answers` }, topics, ...lag(standings, clock.now())]
  } catch (error) {
    return [failed('log', `${config.LOG}: ${reasonOf(error)}`, `start the log, or mend ${variable}`)]
  }
}

const topicsThere = async (app: string, driver: LogDriver, config: PatientConfig): Promise<Told> => {
  const specs = topicSpecs(config)
  const wrong: string[] = []
  for (const { name, partitions } of specs) {
    const found = (await driver.offsets(name)).length
    if (found < partitions) wrong.push(found === 0 ? `${name} is missing` : `${name} has ${found} partitions of ${partitions}`)
  }
  return wrong.length === 0
    ? { check: 'topics', status: 'ok', found: `all ${specs.length} are there` }
    : failed(
        'topics',
        wrong.join(', '),
        `start ${app}: it makes them, where its credentials may; what was in a lost topic is sent again as "A log that lost records" in docs/operations.md says`,
      )
}

const lag = (standings: readonly GroupStanding[], now: number): readonly Told[] => {
  if (standings.length === 0)
    return [{ check: 'lag', status: 'warning', found: 'it has never told where it stands', next: 'start it, and ask again after 10 s' }]
  const sum = (count: (standing: GroupStanding) => number) => standings.reduce((total, standing) => total + count(standing), 0)
  const messages = sum((each) => each.lag)
  const parked = sum((each) => each.parked)
  const gaps = standings.filter(({ gap }) => gap !== undefined)
  const waited_ms = Math.max(0, ...standings.map(({ waitingSince_ms }) => (waitingSince_ms === undefined ? 0 : now - waitingSince_ms)))
  const idle = standings.filter(({ owned }) => !owned).length
  const found: Told[] = []
  if (gaps.length > 0)
    found.push(
      failed('lag', `${gaps.length} partitions stand: the log lost records`, 'see "A log that lost records" in docs/operations.md'),
    )
  if (messages > 0 && waited_ms > MOST_WAITING_MS)
    found.push(
      failed('lag', `${messages} messages wait, the oldest for ${Math.round(waited_ms / 1_000)} s`, 'see docs/runbooks/ConsumerLag.md'),
    )
  if (parked > 0)
    found.push(failed('lag', `${parked} messages are parked`, 'mend the cause, then send them back: docs/runbooks/MessagesParked.md'))
  if (idle > 0)
    found.push({
      check: 'lag',
      status: 'warning',
      found: `no living process reads ${idle} of ${standings.length} partitions`,
      next: 'start the app',
    })
  return found.length > 0
    ? found
    : [{ check: 'lag', status: 'ok', found: messages === 0 ? 'nothing waits' : `${messages} messages are under way` }]
}
