import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Seconds: from a cached answer to the longest wait that a call may have. */
const DURATIONS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * An app's metrics in a registry of its own: up to five apps share a process, so prom-client's global registry is not used. Inject it to add
 * more; each is labelled with the app.
 */
export class Metrics {
  readonly registry = new Registry()
  readonly #requests: Histogram<'method' | 'route' | 'status'>

  constructor(readonly app: string) {
    this.registry.setDefaultLabels({ app })
    collectDefaultMetrics({ register: this.registry })
    this.#requests = this.histogram('http_request_duration_seconds', 'How long requests took, by route template.', [
      'method',
      'route',
      'status',
    ])
  }

  /** Rate, errors and duration of a request. `route` is the template: paths would make a series each. */
  observeRequest(method: string, route: string, status: number, duration_s: number): void {
    this.#requests.observe({ method, route, status: String(status) }, duration_s)
  }

  counter<Label extends string>(name: string, help: string, labelNames: readonly Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.registry] })
  }

  /** `collect` sets it whenever it is scraped. */
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
      ...(collect && { collect: () => collect(gauge) }),
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
