import { describe, expect, it } from '@jest/globals'
import { mergeExpositions } from './exposition.js'

const histogram = (app: string, count: number): string => `# HELP http_seconds How long.
# TYPE http_seconds histogram
http_seconds_bucket{le="1",app="${app}"} ${count}
http_seconds_count{app="${app}"} ${count}
# HELP up_${app} Only here.
# TYPE up_${app} gauge
up_${app}{app="${app}"} 1
`

describe('the metrics of several apps as one text', () => {
  it('describes a metric once and keeps its lines together', () => {
    expect(mergeExpositions([histogram('wallet', 1), histogram('fraud', 2)])).toBe(`# HELP http_seconds How long.
# TYPE http_seconds histogram
http_seconds_bucket{le="1",app="wallet"} 1
http_seconds_count{app="wallet"} 1
http_seconds_bucket{le="1",app="fraud"} 2
http_seconds_count{app="fraud"} 2

# HELP up_wallet Only here.
# TYPE up_wallet gauge
up_wallet{app="wallet"} 1

# HELP up_fraud Only here.
# TYPE up_fraud gauge
up_fraud{app="fraud"} 1
`)
  })

  it('keeps samples that nobody described, and is empty of nothing', () => {
    expect(mergeExpositions(['', 'up 1\n'])).toBe('up 1\n')
    expect(mergeExpositions([])).toBe('')
  })
})
