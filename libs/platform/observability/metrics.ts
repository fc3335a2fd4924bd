import { systemClock } from '#kernel'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry, type Metric, type OpenMetricsContentType } from 'prom-client'

/** Seconds: from a cached answer to the longest wait that a call may have. */
const DURATIONS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * An app's metrics in a registry of its own: up to five apps share a process, so prom-client's global registry is not used. Inject it to add
 * more; each is labelled with the app.
 */
export class Metrics {
  readonly registry = new Registry()
  readonly #requests: Histogram<'method' | 'route' | 'status' | 'trace_id'>

  constructor(readonly app: string) {
    this.registry.setDefaultLabels({ app })
    collectDefaultMetrics({ register: this.registry })
    this.#requests = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'How long requests took, by route template.',
      labelNames: ['method', 'route', 'status'],
      buckets: DURATIONS_S,
      // Only one that writes OpenMetrics takes a metric with exemplars; to the other it is as any.
      registers: [openMetrics()],
      enableExemplars: true,
    })
    this.registry.registerMetric(this.#requests)
  }

  /**
   * Rate, errors and duration of a request. `route` is the template: paths would make a series each. `traceId`, of one whose spans are collected,
   * is the bucket's exemplar from then on.
   */
  observeRequest(method: string, route: string, status: number, duration_s: number, traceId?: string): void {
    this.#requests.observe({
      labels: { method, route, status: String(status) },
      value: duration_s,
      ...(traceId !== undefined && { exemplarLabels: { trace_id: traceId } }),
    })
  }

  /** In the format that the `Accept` header asks for: OpenMetrics, which has exemplars, or Prometheus' text. */
  async exposition(accept: string | undefined): Promise<{ readonly contentType: string; readonly text: string }> {
    const registry = accept?.includes('application/openmetrics-text') ? this.#inOpenMetrics() : this.registry
    return { contentType: registry.contentType, text: await registry.metrics() }
  }

  /** A registry has one format, and one that writes OpenMetrics renames the counters that it holds: so it gets views of them. */
  #inOpenMetrics(): Registry<OpenMetricsContentType> {
    const registry = openMetrics()
    registry.setDefaultLabels({ app: this.app })
    for (const { name } of this.registry.getMetricsAsArray()) {
      const view: unknown = Object.create(this.registry.getSingleMetric(name) ?? null)
      registry.registerMetric(view as Metric)
    }
    return registry
  }

  counter<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] })
  }

  /** `collect` sets it whenever it is scraped. Where it rejects, or takes over 2 s, nothing of this gauge is shown, neither zeros nor what was, and all else is. */
  gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
    collect?: (gauge: Gauge<Label>) => Promise<void> | void,
  ): Gauge<Label> {
    const gauge: Gauge<Label> = new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      ...(collect && { collect: () => shown(gauge, labelNames, collect) }),
    })
    return gauge
  }

  histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[] = [],
    buckets: readonly number[] = DURATIONS_S,
  ): Histogram<Label> {
    return new Histogram({ name, help, labelNames: [...labelNames], buckets: [...buckets], registers: [this.registry] })
  }
}

/** The front waits 3 s for all of an app's metrics, Prometheus 10. */
const MOST_COLLECT_MS = 2_000

const shown = async <Label extends string>(
  gauge: Gauge<Label>,
  labelNames: readonly Label[],
  collect: (gauge: Gauge<Label>) => Promise<void> | void,
): Promise<void> => {
  const over = new AbortController()
  const late = systemClock.sleep(MOST_COLLECT_MS, over.signal).then(() => Promise.reject(new Error('late')))
  try {
    await Promise.race([collect(gauge), late])
  } catch {
    gauge.reset()
    // Without labels, to reset it is to say 0.
    if (labelNames.length === 0) gauge.remove()
  } finally {
    late.catch(() => undefined)
    over.abort()
  }
}

/** For gauges that show the same: who asks while a look is under way, as those of one scrape do, gets what it comes to. */
export const lookedAtOnce = <T>(look: () => Promise<T>): (() => Promise<T>) => {
  let looking: Promise<T> | undefined
  return () => (looking ??= look().finally(() => (looking = undefined)))
}

const openMetrics = (): Registry<OpenMetricsContentType> => {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  return registry
}
