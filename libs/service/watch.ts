import type { ConsumerListener, Relay, RelayListener } from '#messaging'
import { APP_LOG, Metrics } from '#platform'
import type { INestApplication } from '@nestjs/common'
import type { Logger } from 'pino'

/** Counts and logs the failures of what runs beside the requests. */
export const reporter = (app: INestApplication): ((error: unknown, during?: string) => void) => {
  const log = app.get<Logger>(APP_LOG)
  const failures = app.get(Metrics).counter('background_failures_total', 'Failures of what runs beside the requests; all are tried again.')
  return (error, during) => {
    failures.inc()
    log.error({ err: error, during }, 'work beside the requests failed; it is tried again')
  }
}

/** What the consumer does, as metrics; and a line for each message that nobody will handle until a person sends it back. */
export const watchConsumer = (app: INestApplication, report: (error: unknown, during: string) => void): ConsumerListener => {
  const log = app.get<Logger>(APP_LOG)
  const metrics = app.get(Metrics)
  const handled = metrics.counter('consumer_messages_total', 'Messages whose effect is committed.', ['topic'])
  const repeats = metrics.counter('consumer_repeats_total', 'Messages dropped because they had come before.', ['topic'])
  const lag = metrics.histogram('consumer_lag_seconds', 'Age of the newest message of a batch when its effect was committed.', ['topic'])
  const duration = metrics.histogram('consumer_batch_seconds', 'Both phases of a batch and its commit.', ['topic'])
  const retries = metrics.counter('consumer_retries_total', 'Batches delivered again: a dependency was away, or the fence was lost.', [
    'topic',
  ])
  const deferred = metrics.counter('consumer_deferred_total', 'Messages put aside with their key, to be tried again.', ['topic'])
  const parked = metrics.counter('consumer_parked_total', 'Messages in the dead letters.', ['topic'])
  return {
    onCommitted: ({ partition: { topic }, messages, repeats: dropped, duration_ms, lag_ms }) => {
      handled.inc({ topic }, messages)
      if (dropped > 0) repeats.inc({ topic }, dropped)
      lag.observe({ topic }, Math.max(0, lag_ms) / 1_000)
      duration.observe({ topic }, duration_ms / 1_000)
    },
    onRetry: ({ partition: { topic }, error }) => {
      retries.inc({ topic })
      log.warn({ err: error, topic }, 'a batch is delivered again')
    },
    onDeferred: ({ partition: { topic }, messages, error }) => {
      deferred.inc({ topic }, messages)
      log.warn({ err: error, topic, messages }, 'messages are put aside, and tried again')
    },
    onParked: ({ id, partition: { topic, partition }, attempts, errorClass }) => {
      parked.inc({ topic })
      log.error(
        { id, topic, partition, attempts, errorClass },
        'a message is parked in the dead letters: mend the cause, then send it back',
      )
    },
    onError: (error) => report(error, 'consumer'),
  }
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
