import { expect, it } from '@jest/globals'
import { Metrics } from './metrics.js'

it('shows all but what cannot be looked at, or not in time', async () => {
  const metrics = new Metrics('shop')
  metrics.gauge('well', 'Is set.', [], (gauge) => gauge.set(1))
  metrics.gauge('rejects', 'Rejects.', ['of'], () => Promise.reject(new Error('away')))
  metrics.gauge('throws', 'Throws.', [], () => {
    throw new Error('away')
  })
  metrics.gauge('hangs', 'Never ends.', [], () => new Promise(() => undefined))
  const text = await metrics.registry.metrics()
  expect(text.match(/^(well|rejects|throws|hangs)\b.*/gm)).toEqual(['well{app="shop"} 1'])
})
