import { describe, expect, it } from '@jest/globals'
import { EventTypes, type AnyStreamType, type EventType } from '#event-store'
import { evolutionFaults, missingFixtures, type EventFixture } from '#event-store/testing'
import type { JsonObject } from '#kernel'
import { sagaStream } from '#saga'
import Type from 'typebox'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { alertType } from '../../apps/fraud/alerts/alert-stream.js'
import { streamTypes as orderTypes } from '../../apps/order-command/streams.js'
import { streamTypes as walletTypes } from '../../apps/wallet/streams.js'
import { stories } from './stories.js'

const ALL = [...orderTypes, ...walletTypes, alertType, sagaStream] as unknown as readonly AnyStreamType[]
/** Their events still change from day to day: they are registered before the first release, and until then nothing is promised for them. */
const UNREGISTERED = ['order', 'product', 'reservation', 'saga', 'stock']
const FOLDER = join(import.meta.dirname, 'fixtures')

const types = ALL.filter(({ events }) => events)
const readFixtures = (): readonly EventFixture[] =>
  readdirSync(FOLDER)
    .sort()
    .map((name) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as EventFixture)

/** `BAHI_UPDATE_EVENTS=true` keeps fixtures of versions that have none. It changes none that is there. */
const writeMissing = (): void => {
  mkdirSync(FOLDER, { recursive: true })
  const kept = readFixtures()
  for (const type of types)
    for (const fixture of missingFixtures(type, (stories[type.category] ?? []) as never, kept))
      writeFileSync(join(FOLDER, `${fixture.category}.${fixture.type}.v${fixture.version}.json`), `${JSON.stringify(fixture, null, 2)}\n`)
}
if (process.env['BAHI_UPDATE_EVENTS'] === 'true') writeMissing()

const fixtures = readFixtures()
const registered = types.flatMap((type) => type.events?.all.map((event) => [type, event] as const) ?? [])

describe('what was ever written', () => {
  it('is read and folded today, and its schemas have not changed in place (else: a new version with an upcast, and `npm run events`)', () => {
    expect(evolutionFaults(types, fixtures)).toEqual([])
  })

  it('is of registered types, but for those that wait for the first release', () => {
    expect(
      ALL.filter(({ events }) => !events)
        .map(({ category }) => category)
        .sort(),
    ).toEqual(UNREGISTERED)
    expect(fixtures.length).toBeGreaterThanOrEqual(registered.length)
  })

  it.each(registered.map(([type, event]) => [`${type.category}: ${event.type}`, type, event] as const))(
    'would not be read silently otherwise: a field added to %s in place is found',
    (name, type, event) => {
      const schema = JSON.parse(JSON.stringify(event.schema)) as JsonObject & { readonly properties: JsonObject }
      const planted = Type.Unsafe({ ...schema, properties: { ...schema.properties, planted: { type: 'string' } } })
      const others = type.events?.all.filter((each) => each !== event) ?? []
      const events = new EventTypes([...others, { ...event, schema: planted } satisfies EventType])
      expect(
        evolutionFaults(
          [{ ...type, events }],
          fixtures.filter(({ category }) => category === type.category),
        ),
      ).toEqual([expect.stringMatching(`^${name} v[0-9]+ has another schema than it was written by`)])
    },
  )
})
