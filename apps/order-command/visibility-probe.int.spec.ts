import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { VisibilityProbed } from '#contracts'
import type { EventStore } from '#event-store'
import { systemClock, systemIds } from '#kernel'
import { eventually } from '#kernel/testing'
import { EVENT_STORE } from './ports.js'
import { RunningApp } from './testing/running-app.js'
import { VisibilityProbe } from './visibility-probe.js'

describe('the visibility probe', () => {
  let running: RunningApp
  beforeAll(async () => {
    running = await RunningApp.start()
  })
  afterAll(() => running.close())

  it('goes through the store, its relay and the log, and leaves no event and no command behind', async () => {
    const store = running.app.get<EventStore>(EVENT_STORE)
    const probe = new VisibilityProbe({ store, clock: systemClock, ids: systemIds, onError: () => undefined })
    await probe.send()
    await probe.send()
    await eventually('both are heard', () => running.heardOf(VisibilityProbed.type).length === 2)
    const { rows } = await running.pool.query('SELECT FROM events UNION ALL SELECT FROM commands')
    expect(rows).toEqual([])
  })
})
