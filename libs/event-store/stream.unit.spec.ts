import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { eventType, EventTypes, type StreamType } from '#event-store'
import { memoryEventStore } from '#event-store/testing'
import { systemClock } from '#kernel'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Type from 'typebox'
import { shapeOf } from './stream.js'
import { publishTally, tallyType } from './testing/tally.js'

describe('the shape of a state', () => {
  it('changes with evolve, initial state and source, and with nothing else', () => {
    const shape = shapeOf(tallyType)
    expect(shapeOf({ ...tallyType, snapshotEvery: 99 })).toBe(shape)
    const others = [
      { ...tallyType, evolve: (state: { total: number; changes: number }) => state },
      { ...tallyType, initialState: { total: 1, changes: 0 } },
      { ...tallyType, source: new URL('stream.ts', import.meta.url).href },
    ].map((type) => shapeOf(type))
    expect(new Set([shape, ...others]).size).toBe(4)
  })

  describe('whose evolve calls what lies elsewhere', () => {
    let folder: string
    beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'bahi-shape-'))))
    afterEach(() => rmSync(folder, { recursive: true }))
    const purse = `import { add } from './sums.js'
      export const purse = { category: 'purse', initialState: 0, evolve: (state, { data }) => add(state, data.by), snapshotEvery: 9, source: import.meta.url }`
    const files = {
      'purse.mjs': purse,
      'sums.js': `export * from './plus.js'`,
      'plus.js': `import { money } from 'money'\nexport const add = (a, b) => money(a + b)`,
      'beside.js': 'export const other = 1',
      'package.json': '{ "type": "module" }',
      'node_modules/money/package.json': '{ "name": "money", "version": "1.0.0", "type": "module", "exports": "./index.js" }',
      'node_modules/money/index.js': 'export const money = (sum) => sum',
    }
    let copies = 0
    /** The shape of the purse in a folder of its own, as another release of it would be. */
    const shapeWith = async (changed: Partial<Record<keyof typeof files | 'beside.js', string>> = {}): Promise<string> => {
      const release = join(folder, String(copies++))
      for (const [name, text] of Object.entries({ ...files, ...changed })) {
        mkdirSync(dirname(join(release, name)), { recursive: true })
        writeFileSync(join(release, name), text)
      }
      const module = (await import(pathToFileURL(join(release, 'purse.mjs')).href)) as { purse: StreamType<number, never> }
      return shapeOf(module.purse)
    }

    it('changes with a helper of a helper, and with a package’s version; not with where it lies nor with what it does not import', async () => {
      const before = await shapeWith()
      expect(await shapeWith()).toBe(before)
      expect(await shapeWith({ 'beside.js': 'export const other = 2' })).toBe(before)
      const helper = await shapeWith({ 'plus.js': files['plus.js'].replace('a + b', 'a + b * 2') })
      const version = await shapeWith({
        'node_modules/money/package.json': files['node_modules/money/package.json'].replace('1.0.0', '1.0.1'),
      })
      expect(new Set([before, helper, version]).size).toBe(3)
    })

    it('cannot be left unsaid: no store opens with a type that takes snapshots and does not name its source', () => {
      const { source: _, ...unsaid } = tallyType
      const open = (type: object) => memoryEventStore({ types: [type as never], publish: publishTally, clock: systemClock, app: 'test' })
      expect(() => open(unsaid)).toThrow(/tally takes snapshots.*import\.meta\.url/)
      expect(() => open({ ...unsaid, snapshotEvery: 0 })).not.toThrow()
      const upcast = eventType('Changed', Type.Object({ by: Type.Number() }), (data) => data)
      expect(() => open({ ...tallyType, events: new EventTypes([upcast]) })).toThrow(/EventTypes with upcasts/)
      expect(() => open({ ...tallyType, events: new EventTypes([upcast], import.meta.url) })).not.toThrow()
    })
  })
})
