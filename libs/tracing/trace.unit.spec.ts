import { describe, expect, it } from '@jest/globals'
import { continueTrace, currentTrace, withTrace } from './trace.js'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'

describe('a trace', () => {
  it.each([`00-${traceId}-00f067aa0ba902b7-00`, `01-${traceId}-00f067aa0ba902b7-00-more`])('goes on: %s', (header) => {
    const trace = continueTrace(header)
    expect(trace.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
    expect(trace.spanId).not.toBe('00f067aa0ba902b7')
  })

  it.each([
    undefined,
    '',
    'rubbish',
    `ff-${traceId}-00f067aa0ba902b7-01`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId}-00f067aa0ba902b7-01-more`,
    `00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`,
  ])('begins where there is none: %s', (header) => {
    expect(continueTrace(header).traceId).not.toBe(traceId)
    expect(continueTrace(header).traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  })

  it('follows what is awaited', async () => {
    const trace = continueTrace(undefined)
    expect(await withTrace(trace, async () => Promise.resolve().then(currentTrace))).toBe(trace)
    expect(currentTrace()).toBeUndefined()
  })
})
