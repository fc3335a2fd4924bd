import { continueTrace, type Trace } from '#tracing'

const traces = new WeakMap<object, Trace>()

/** The trace of a request: the one that its span began where spans are kept, else one that goes on with the caller's. */
export const traceOf = (request: { readonly headers?: Readonly<Record<string, unknown>> }): Trace => {
  const known = traces.get(request)
  if (known) return known
  const header = request.headers?.traceparent
  const begun = continueTrace(typeof header === 'string' ? header : undefined)
  traces.set(request, begun)
  return begun
}

export const rememberTrace = (request: object, trace: Trace): void => void traces.set(request, trace)
