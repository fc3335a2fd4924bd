import type { Metrics } from '#platform'
import type { ProviderHttp } from './http.js'

/** How the calls to a provider go, as it is when it is scraped. */
export const watchProvider = (metrics: Metrics, { breaker, bulkhead }: ProviderHttp): void => {
  metrics.gauge('provider_circuit', 'The circuit breaker of the payment provider: 1 for the state it is in.', ['state'], (gauge) => {
    for (const state of ['closed', 'open', 'half-open'] as const) gauge.set({ state }, breaker.state === state ? 1 : 0)
  })
  metrics.gauge(
    'provider_calls',
    "Calls in the payment provider's bulkhead: under way, waiting for a place, and the places.",
    ['state'],
    (gauge) => {
      gauge.set({ state: 'under-way' }, bulkhead.inside)
      gauge.set({ state: 'waiting' }, bulkhead.waiting)
      gauge.set({ state: 'places' }, bulkhead.places)
    },
  )
}
