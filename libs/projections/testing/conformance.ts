import type { Transactions } from '#kernel'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { Column, Entity, PrimaryColumn } from 'typeorm'
import { decimalText } from '../data-source.js'
import { table, upsert, type AppliedStream, type RowStore, type Table } from '../rows.js'

@Entity('parcels')
export class ParcelRow {
  @PrimaryColumn('text') shelf!: string
  @PrimaryColumn('text', { name: 'parcel_id' }) parcelId!: string
  @Column('text', { nullable: true }) label!: string | null
  @Column('bigint', { name: 'weight_mg', nullable: true, transformer: decimalText }) weight!: string | null
  @Column('jsonb', { nullable: true }) content!: { readonly name: string }[] | null
  @Column('timestamptz', { name: 'arrived_at', nullable: true }) arrivedAt!: Date | null
}

export const parcels = table(ParcelRow, 'shelf', 'parcelId')

/** What `ParcelRow` is stored in. */
export const CREATE_PARCELS = `
  CREATE TABLE parcels (
    shelf text, parcel_id text, label text, weight_mg bigint, content jsonb, arrived_at timestamptz(3), PRIMARY KEY (shelf, parcel_id)
  )`

export interface RowStoreUnderTest {
  readonly rows: RowStore
  readonly transactions: Transactions
  /** The committed rows: only properties that are not null, Dates as RFC 3339. */
  read(of: Table): Promise<readonly Readonly<Record<string, unknown>>[]>
  clear(): Promise<void>
  close(): Promise<void>
}

const A = '0190a000-0000-7000-8000-00000000000a'
const B = '0190b000-0000-7000-8000-00000000000b'

/** What every store of rows must do. */
export const rowStoreConformance = (name: string, make: () => Promise<RowStoreUnderTest>): void => {
  describe(`rows: ${name}`, () => {
    let store: RowStoreUnderTest
    beforeAll(async () => {
      store = await make()
    })
    beforeEach(() => store.clear())
    afterAll(() => store.close())

    const at = (stream: string, version: number, incarnation = A): AppliedStream => ({ stream, incarnation, version: BigInt(version) })
    const advance = (...streams: AppliedStream[]) => store.transactions.run((tx) => store.rows.advance(tx, streams))
    const write = (...rows: Partial<ParcelRow>[]) =>
      store.transactions.run((tx) =>
        store.rows.upsert(
          tx,
          rows.map((row) => upsert(parcels, row)),
        ),
      )
    const read = async () => (await store.read(parcels)).toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))

    it('moves a stream forward only, and says from where', async () => {
      expect(await advance(at('a', 3), at('b', 1))).toEqual(
        new Map([
          ['a', undefined],
          ['b', undefined],
        ]),
      )
      expect(await advance(at('a', 5), at('b', 1))).toEqual(new Map([['a', { incarnation: A, version: 3n }]]))
      expect(await advance(at('a', 4))).toEqual(new Map())
      expect(await store.rows.applied(['a', 'b', 'c'])).toEqual(
        new Map([
          ['a', { incarnation: A, version: 5n }],
          ['b', { incarnation: A, version: 1n }],
        ]),
      )
    })

    it('lets a restored store begin lower, and then nothing of the store before it', async () => {
      await advance(at('a', 9))
      expect(await advance(at('a', 4, B))).toEqual(new Map([['a', { incarnation: A, version: 9n }]]))
      expect(await advance(at('a', 10))).toEqual(new Map())
    })

    it('merges what it is told of a row, in order, in any number of calls', async () => {
      await write(
        { shelf: 's', parcelId: '1', label: 'first', weight: '9007199254740993' },
        { shelf: 's', parcelId: '2', content: [{ name: 'चाय' }] },
        { shelf: 's', parcelId: '1', label: 'second', arrivedAt: new Date('2026-11-01T10:00:00.125Z') },
      )
      await write({ shelf: 's', parcelId: '1', label: null }, { shelf: 't', parcelId: '1' })
      expect(await read()).toEqual([
        { shelf: 's', parcelId: '1', weight: '9007199254740993', arrivedAt: '2026-11-01T10:00:00.125Z' },
        { shelf: 's', parcelId: '2', content: [{ name: 'चाय' }] },
        { shelf: 't', parcelId: '1' },
      ])
    })

    it('keeps text that PostgreSQL cannot hold, readable', async () => {
      await write({ shelf: 's', parcelId: '1', label: 'a\0b\ud800c \\u0000', content: [{ name: '\0' }] })
      expect(await read()).toEqual([{ shelf: 's', parcelId: '1', label: 'a\uFFFDb\uFFFDc \\u0000', content: [{ name: '\uFFFD' }] }])
    })

    it('refuses a row without its whole key', async () => {
      await expect(write({ shelf: 's', label: 'nowhere' })).rejects.toThrow('parcelId')
      expect(await read()).toEqual([])
    })

    it('leaves nothing of a transaction that is rolled back, and rings for none', async () => {
      let rings = 0
      store.rows.onApplied(() => rings++)
      const crash = store.transactions.run(async (tx) => {
        await store.rows.advance(tx, [at('a', 1)])
        await store.rows.upsert(tx, [upsert(parcels, { shelf: 's', parcelId: '1' })])
        throw new Error('crash')
      })
      await expect(crash).rejects.toThrow('crash')
      expect([await read(), await store.rows.applied(['a']), rings]).toEqual([[], new Map(), 0])
      await advance(at('a', 1))
      expect(rings).toBe(1)
    })

    it('ends where writing row by row would, however the writes are batched', async () => {
      const change = fc.record(
        { shelf: fc.constantFrom('s', 't'), parcelId: fc.constantFrom('1', '2'), label: fc.string(), weight: fc.maxSafeNat().map(String) },
        { requiredKeys: ['shelf', 'parcelId'] },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 4 }), async (batches) => {
          await store.clear()
          for (const batch of batches) await write(...batch)
          const batched = await read()
          await store.clear()
          for (const each of batches.flat()) await write(each)
          expect(await read()).toEqual(batched)
        }),
        { numRuns: 30 },
      )
    })
  })
}
