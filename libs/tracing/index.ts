export { openTracing, tracingConfig, type TracingConfig } from './open.js'
export { Tracing, type Attributes, type OpenSpan, type SpanOptions } from './tracing.js'
export { continueTrace, currentTrace, readTrace, sameTrace, withTrace, type Trace } from './trace.js'
