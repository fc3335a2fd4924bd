import { randomHex } from '#kernel'
import { AsyncLocalStorage } from 'node:async_hooks'

/** W3C Trace Context, level 1. */
export interface Trace {
  /** 32 hex digits. */
  readonly traceId: string
  /** 16 hex digits: this hop. */
  readonly spanId: string
  /** What goes on to others. */
  readonly traceparent: string
}

const traceparent = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Goes on with the trace that the caller began, or begins one. A header that breaks the rules is as none. */
export const continueTrace = (header: string | undefined): Trace => {
  const [, version, traceId, parentId, flags, more] = (header !== undefined && traceparent.exec(header)) || []
  const valid =
    version !== undefined &&
    version !== 'ff' &&
    !(version === '00' && more) &&
    !/^0+$/.test(traceId ?? '0') &&
    !/^0+$/.test(parentId ?? '0')
  return trace(valid && traceId ? traceId : randomHex(16), valid && flags ? flags : '01')
}

const trace = (traceId: string, flags: string): Trace => {
  const spanId = randomHex(8)
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` }
}

/** A `traceparent` that was ours, as it is. */
export const readTrace = (header: string | undefined): Trace | undefined => {
  const [, , traceId, spanId] = (header !== undefined && traceparent.exec(header)) || []
  return header === undefined || traceId === undefined || spanId === undefined ? undefined : { traceId, spanId, traceparent: header }
}

const current = new AsyncLocalStorage<Trace>()

/** The trace of the request or message being handled, if any. */
export const currentTrace = (): Trace | undefined => current.getStore()

/** Runs `work` so that `currentTrace()` within it answers `trace`. */
export const withTrace = <T>(trace: Trace, work: () => T): T => current.run(trace, work)

/** Whether both are of one trace. */
export const sameTrace = (one: string | undefined, other: string | undefined): boolean =>
  one !== undefined && other !== undefined && one.slice(3, 35) === other.slice(3, 35)
