import { afterAll, beforeAll, describe, it } from '@jest/globals'
import { failWithout, skippedWithout } from '../support/kafka.mjs'
import { newHome, removeHome, startPlatform, type Platform } from '../support/platform.mjs'
import { prometheusMissing, startPrometheus, type TestPrometheus } from '../support/prometheus.js'
import { describePanels, load, LOAD_MS } from './dashboards.js'

const START_MS = 180_000

const missing = prometheusMissing()

if (!skippedWithout({ describe, it }, 'the dashboards', missing)) {
  let home: string
  let platform: Platform
  let prometheus: TestPrometheus

  beforeAll(async () => {
    failWithout(missing)
    home = await newHome()
    platform = await startPlatform({ home })
    prometheus = await startPrometheus(new URL(platform.baseUrl).host, 'bahi')
    await load(platform.baseUrl)
  }, START_MS + LOAD_MS)
  afterAll(async () => {
    await prometheus?.stop()
    await platform?.stop()
    await removeHome(home)
  }, 60_000)

  describePanels((expr) => prometheus.ask(expr))
}
