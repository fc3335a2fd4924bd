import Type, { type Static } from 'typebox'
import { Tracing } from './tracing.js'

/** OpenTelemetry's own names. Spread it into an app's schema. */
export const tracingConfig = {
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Type.String({
      pattern: '^https?://[^\\s]+$',
      description:
        'Where spans are sent by OTLP over HTTP: a collector, without `/v1/traces`. Without it none are made. `OTEL_EXPORTER_OTLP_HEADERS` is read too.',
    }),
  ),
  OTEL_TRACES_SAMPLER_ARG: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 1,
      default: 1,
      description: 'The share of traces begun here that are collected; one begun elsewhere is, where its caller collects it.',
    }),
  ),
}

const schema = Type.Object(tracingConfig)
export type TracingConfig = Static<typeof schema>

/**
 * The app's spans, or undefined where nobody collects them: nothing of the SDK is loaded then. Several apps of a process have one each, so that
 * every span names its app. Spans wait in memory, at most 8,192; what a collector that is away cannot take is dropped, and holds nothing up.
 */
export const openTracing = async (
  app: string,
  { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER_ARG: ratio = 1 }: TracingConfig,
): Promise<Tracing | undefined> => {
  if (endpoint === undefined) return undefined
  const [sdk, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
  ])
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces`, timeoutMillis: 5_000 })
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ 'service.name': app, 'service.namespace': 'bahi' }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [
      new sdk.BatchSpanProcessor({ exporter, maxQueueSize: 8_192, scheduledDelayMillis: 1_000, exportTimeoutMillis: 5_000 }),
    ],
  })
  // Its shutdown waits for the collector; an app that stops does not wait for one that is away.
  return new Tracing(provider.getTracer('bahi'), () => provider.shutdown().catch(() => undefined))
}
