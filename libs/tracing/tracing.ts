import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as otel,
  type Context,
  type Link,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api'
import type { Trace } from './trace.js'

export type Attributes = Readonly<Record<string, string | number | boolean>>

export interface SpanOptions {
  readonly kind?: 'server' | 'client' | 'producer' | 'consumer'
  /** A `traceparent`; without one the span begins a trace. */
  readonly parent?: string | undefined
  /** `traceparent`s of what led to it besides. */
  readonly links?: readonly (string | undefined)[]
  /** Never what a person could be known by, and no free text: routes, names of types, ids of ours. */
  readonly attributes?: Attributes
}

export interface OpenSpan {
  /** To be carried on: what names it as its parent comes below it. */
  readonly trace: Trace
  /** Whether it will be collected, so that its trace can be found. */
  readonly sampled: boolean
  set(attributes: Attributes): void
  /** Once; a second call does nothing. Of an error only its class is kept: messages may quote data. */
  end(error?: unknown): void
}

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER }

/**
 * The spans of one app. Parents are named by `traceparent`, never taken from the surroundings: work goes through tables and logs, where no
 * asynchronous context follows, and several apps may share a process.
 */
export class Tracing {
  constructor(
    private readonly tracer: Tracer,
    /** Sends what is left, then ends. */
    readonly close: () => Promise<void>,
  ) {}

  start(name: string, { kind, parent, links = [], attributes = {} }: SpanOptions = {}): OpenSpan {
    const span = this.tracer.startSpan(
      name,
      { kind: kind === undefined ? SpanKind.INTERNAL : KINDS[kind], links: links.flatMap(linkTo), attributes },
      contextOf(parent),
    )
    const { traceId, spanId, traceFlags } = span.spanContext()
    return {
      trace: { traceId, spanId, traceparent: `00-${traceId}-${spanId}-0${traceFlags & 1}` },
      sampled: span.isRecording(),
      set: (more) => void span.setAttributes(more),
      end: (...failure) => {
        if (!span.isRecording()) return
        if (failure.length > 0 && failure[0] !== undefined) {
          span.setAttribute('error.type', failure[0] instanceof Error ? failure[0].name : 'not an Error')
          span.setStatus({ code: SpanStatusCode.ERROR })
        }
        span.end()
      },
    }
  }

  /** A span around `work`, which gets its `traceparent`. */
  async around<T>(name: string, options: SpanOptions, work: (span: OpenSpan) => Promise<T>): Promise<T> {
    const span = this.start(name, options)
    try {
      const result = await work(span)
      span.end()
      return result
    } catch (error) {
      span.end(error ?? new Error('nothing was thrown'))
      throw error
    }
  }
}

const contextOf = (traceparent: string | undefined): Context => {
  const parent = spanContextOf(traceparent)
  return parent ? otel.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT
}

const linkTo = (traceparent: string | undefined): readonly Link[] => {
  const context = spanContextOf(traceparent)
  return context ? [{ context }] : []
}

const spanContextOf = (traceparent: string | undefined): SpanContext | undefined => {
  const [, traceId, spanId, flags] =
    (traceparent !== undefined && /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-|$)/.exec(traceparent)) || []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true }
}
