import { describe, expect, it } from '@jest/globals'
import { EventTypes, type AnyStreamType, type EventType } from '#event-store'
import { evolutionFaults, missingFixtures, releaseFaults, releaseLine, type EventFixture } from '#event-store/testing'
import type { JsonObject } from '#kernel'
import Type from 'typebox'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { STORES } from '../../apps/bahi/cli/place.js'
import { stories } from './stories.js'

const APPS = join(import.meta.dirname, '../../apps')
const FOLDER = join(import.meta.dirname, 'fixtures')

/** One line for each fixture, for good: it only grows. */
const LIST = join(import.meta.dirname, 'released.txt')

const types = [...new Set(Object.values(STORES).flatMap((store) => store.types as readonly AnyStreamType[]))]
/** Stream types whose events have no registration: nobody could say which shapes of them were ever written. */
const unregistered = (all: readonly AnyStreamType[]): readonly string[] =>
  all.filter(({ events }) => (events?.all.length ?? 0) === 0).map(({ category }) => category)
const readFixtures = (): readonly EventFixture[] =>
  readdirSync(FOLDER)
    .sort()
    .map((name) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as EventFixture)

const readReleased = (): readonly string[] => (existsSync(LIST) ? readFileSync(LIST, 'utf8').split('\n').filter(Boolean) : [])

/** Lines taken out of the list by any commit of this history, or since the last one; undefined where there is no git. */
const linesTakenOut = (): number | undefined => {
  const taken = ['log', 'diff'].map((what) => {
    const range = what === 'log' ? ['--format=', '-m', '--first-parent'] : ['HEAD']
    const { status, stdout } = spawnSync('git', [what, ...range, '--numstat', '--', LIST], { cwd: import.meta.dirname, encoding: 'utf8' })
    return status === 0 ? stdout.split('\n').reduce((sum, line) => sum + Number(line.split('\t')[1] ?? 0), 0) : undefined
  })
  return taken.every((each) => each !== undefined) ? taken.reduce<number>((sum, each) => sum + (each ?? 0), 0) : undefined
}

/** `BAHI_UPDATE_EVENTS=true` keeps fixtures of versions that have none. It changes none that is there. */
const writeMissing = (): void => {
  mkdirSync(FOLDER, { recursive: true })
  const kept = readFixtures()
  for (const type of types)
    for (const fixture of missingFixtures(type, (stories[type.category] ?? []) as never, kept))
      writeFileSync(join(FOLDER, `${fixture.category}.${fixture.type}.v${fixture.version}.json`), `${JSON.stringify(fixture, null, 2)}\n`)
  // Lines that have no fixture any more stay: the test below says so.
  const lines = new Set([...readReleased(), ...readFixtures().map(releaseLine)])
  writeFileSync(LIST, `${[...lines].toSorted().join('\n')}\n`)
}
if (process.env['BAHI_UPDATE_EVENTS'] === 'true') writeMissing()

const fixtures = readFixtures()
const registered = types.flatMap((type) => type.events?.all.map((event) => [type, event] as const) ?? [])

describe('what was ever written', () => {
  it('is read and folded today, and its schemas have not changed in place (else: a new version with an upcast, and `npm run events`)', () => {
    expect(evolutionFaults(types, fixtures)).toEqual([])
  })

  it('is all there: no fixture was dropped or rewritten, and no line was ever taken out of the list of them', () => {
    const released = readReleased()
    expect(released.length).toBeGreaterThanOrEqual(62)
    expect(releaseFaults(released, fixtures)).toEqual([])
    // A copy without git has the list alone; CI runs on a clone.
    if (process.env['CI'] !== undefined || linesTakenOut() !== undefined) expect(linesTakenOut()).toBe(0)
  })

  it('would not be dropped unseen: a fixture that is gone, rewritten or new is named', () => {
    const [first, ...rest] = fixtures as [EventFixture, ...EventFixture[]]
    const released = readReleased()
    const name = `${first.category}: ${first.type} v${first.version}`
    expect(releaseFaults(released, rest)).toEqual([`${name} was written once, and its fixture is gone or changed`])
    const rewritten = { ...first, data: { ...first.data, planted: 1 } }
    expect(releaseFaults(released, [rewritten, ...rest])).toEqual([
      `${name} was written once, and its fixture is gone or changed`,
      `${name} is not in the list`,
    ])
    expect(
      releaseFaults(
        released,
        fixtures.map(({ data, ...rest }) => ({ data, ...rest })),
      ),
    ).toEqual([])
  })

  it('is of registered types, in the store of every app that has one', () => {
    const withStore = readdirSync(APPS).filter((name) => {
      const file = join(APPS, name, 'app.ts')
      return existsSync(file) && /createService\(|openEventStore\(/.test(readFileSync(file, 'utf8'))
    })
    expect(Object.keys(STORES).sort()).toEqual(withStore.sort())
    expect(unregistered(types)).toEqual([])
    expect(fixtures.length).toBeGreaterThanOrEqual(registered.length)
  })

  it('would not be of a type that was forgotten: one without events, or with none registered, is found', () => {
    const [{ events: _, ...forgotten }] = types as [AnyStreamType]
    expect(unregistered([...types, forgotten])).toEqual([forgotten.category])
    expect(unregistered([...types, { ...forgotten, events: new EventTypes([]) }])).toEqual([forgotten.category])
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
