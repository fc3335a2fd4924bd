import { roomLeft } from '#event-store'
import type { Clock } from '#kernel'
import type { ConsumerListener, Relay, RelayListener, Standing } from '#messaging'
import type { LogServer } from '#messaging/nest'
import { APP_LOG, lookedAtOnce, Metrics } from '#platform'
import { readTrace } from '#tracing'
import type { INestApplication } from '@nestjs/common'
import type pg from 'pg'
import type { Logger } from 'pino'

type Report = (error: unknown, during?: string) => void

/** Counts and logs the failures of what runs beside the requests; until the app is there, and has a log, they go to standard error. */
export const backgroundReport = (name: string): { readonly report: Report; throughLogOf(app: INestApplication): void } => {
  let tell: Report = (error) => void process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`)
  return {
    report: (error, during) => tell(error, during),
    throughLogOf(app) {
      const log = app.get<Logger>(APP_LOG)
      const failures = app
        .get(Metrics)
        .counter('background_failures_total', 'Failures of what runs beside the requests; all are tried again.')
      tell = (error, during) => {
        failures.inc()
        log.error({ err: error, during }, 'work beside the requests failed; it is tried again')
      }
    },
  }
}

const BATCH_SIZES = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000]

/** What the consumer does, as metrics; and a line for each message that nobody will handle until a person sends it back. */
export const watchConsumer = (app: INestApplication, report: (error: unknown, during: string) => void): ConsumerListener => {
  const log = app.get<Logger>(APP_LOG)
  const metrics = app.get(Metrics)
  const handled = metrics.counter('consumer_messages_total', 'Messages whose effect is committed.', ['topic'])
  const repeats = metrics.counter('consumer_repeats_total', 'Messages dropped because they had come before.', ['topic'])
  const lag = metrics.histogram('consumer_lag_seconds', 'Age of the newest message of a batch when its effect was committed.', ['topic'])
  const duration = metrics.histogram('consumer_batch_seconds', 'Both phases of a batch and its commit.', ['topic'])
  const sizes = metrics.histogram('consumer_batch_messages', 'Messages of a batch that were handled.', ['topic'], BATCH_SIZES)
  const commits = metrics.histogram('consumer_commit_seconds', 'The transaction of a batch: its effect and its offset.', ['topic'])
  const gaps = metrics.counter('consumer_log_gaps_total', 'Times that a place of this app was found not to be in the log.', ['topic'])
  const retries = metrics.counter('consumer_retries_total', 'Batches delivered again: a dependency was away, or the fence was lost.', [
    'topic',
  ])
  const breaker = metrics.gauge('consumer_breaker', '1: no batch of the topic begins, or one probes: what its handler needs is away.', [
    'topic',
  ])
  const deferred = metrics.counter('consumer_deferred_total', 'Messages put aside with their key, to be tried again.', ['topic'])
  const parked = metrics.counter('consumer_parked_total', 'Messages in the dead letters.', ['topic'])
  return {
    onCommitted: ({ partition: { topic }, messages, repeats: dropped, duration_ms, commit_ms, lag_ms }) => {
      handled.inc({ topic }, messages)
      if (dropped > 0) repeats.inc({ topic }, dropped)
      lag.observe({ topic }, Math.max(0, lag_ms) / 1_000)
      duration.observe({ topic }, duration_ms / 1_000)
      sizes.observe({ topic }, messages)
      if (commit_ms > 0) commits.observe({ topic }, commit_ms / 1_000)
    },
    onRetry: ({ partition: { topic }, error }) => {
      retries.inc({ topic })
      log.warn({ err: error, topic }, 'a batch is delivered again')
    },
    onBreaker: ({ topic, state }) => {
      breaker.set({ topic }, state === 'closed' ? 0 : 1)
      if (state === 'open') log.warn({ topic }, 'consumption of the topic is paused: what its handler needs is away')
      if (state === 'closed') log.info({ topic }, 'consumption of the topic goes on')
    },
    onDeferred: ({ partition: { topic }, messages, error, traceparent }) => {
      deferred.inc({ topic }, messages)
      log.warn({ err: error, topic, messages, traceId: readTrace(traceparent)?.traceId }, 'messages are put aside, and tried again')
    },
    onParked: ({ id, partition: { topic, partition }, attempts, errorClass, traceparent }) => {
      parked.inc({ topic })
      log.error(
        { id, topic, partition, attempts, errorClass, traceId: readTrace(traceparent)?.traceId },
        'a message is parked in the dead letters: mend the cause, then send it back',
      )
    },
    onLogGap: ({ reason, message, partition: { topic, partition }, next, log: { first, next: end } }) => {
      gaps.inc({ topic })
      log.fatal(
        { reason, topic, partition, next: String(next), first: String(first), end: String(end) },
        `consumption stands: ${message}. See "A log that lost records" in docs/operations.md`,
      )
    },
    onError: (error) => report(error, 'consumer'),
  }
}

/** Where the consumer's partitions stand, looked at when the metrics are scraped. Nothing is shown while the log or the database is away. */
export const watchStandings = (app: INestApplication, consumer: Pick<LogServer, 'standings'>, clock: Clock): void => {
  const metrics = app.get(Metrics)
  const look = lookedAtOnce<readonly Standing[]>(() => consumer.standings())
  const gauge = (name: string, help: string, value: (standing: Standing) => number): void => {
    metrics.gauge(name, help, ['topic', 'partition'], async (each) => {
      const standings = await look()
      each.reset()
      for (const standing of standings) each.set({ topic: standing.topic, partition: String(standing.partition) }, value(standing))
    })
  }
  gauge('consumer_lag_messages', 'Messages of the log that are not handled.', ({ lag }) => lag)
  gauge('consumer_waiting_seconds', 'For how long the oldest of them has waited.', ({ waitingSince_ms }) =>
    waitingSince_ms === undefined ? 0 : Math.max(0, clock.now() - waitingSince_ms) / 1_000,
  )
  gauge('consumer_deferred_messages', 'Messages that wait to be tried again.', ({ deferred }) => deferred)
  gauge('consumer_parked_messages', 'Dead letters that nobody sent back.', ({ parked }) => parked)
  gauge('consumer_log_gap', '1: the partition stands, because its place is not in the log.', ({ gap }) => (gap === undefined ? 0 : 1))
}

/** How much room the event store has made ahead, looked at when the metrics are scraped. Nothing is shown while the database is away. */
export const watchStore = (app: INestApplication, pool: pg.Pool): void => {
  app
    .get(Metrics)
    .gauge('event_store_room_partitions', 'Room for events, in partitions: below 1, none is made ahead.', [], async (gauge) => {
      gauge.set(await roomLeft(pool))
    })
}

/** How far the log is behind the store. The relay is made before the app, so it tells through what this answers once the app is there. */
export const watchRelay = (app: INestApplication, relay: Relay): Required<Pick<RelayListener, 'onSent'>> => {
  const metrics = app.get(Metrics)
  const delay = metrics.histogram('relay_delay_seconds', "From a page's oldest message being recorded to the log's acknowledgement.")
  const sent = metrics.counter('relay_messages_total', 'Messages that the log acknowledged.')
  metrics.gauge('relay_age_seconds', 'How long the oldest message that could not be sent has waited.', [], (gauge) =>
    gauge.set(relay.state().age_ms / 1_000),
  )
  return {
    onSent: ({ messages, delay_ms }) => {
      sent.inc(messages)
      delay.observe(Math.max(0, delay_ms) / 1_000)
    },
  }
}
