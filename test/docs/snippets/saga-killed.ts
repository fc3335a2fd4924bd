import { deepStrictEqual } from 'node:assert'
import { sagaIdFor, statusOf, type Activity } from '#saga'
import { SagaBench, type BenchAnswer, type BenchOptions } from '#saga/testing'
import { booking } from './saga.js'

/** What the others did, and nothing of how: the hotel's room, and what the bank has of the guest. */
interface World {
  room: 'free' | 'held' | 'confirmed'
  readonly charged: Set<string>
}

/** One booking, from its start to its end. `refused`: the command that the hotel says no to. */
export class BookingPlay extends SagaBench {
  readonly sagaId = sagaIdFor('booking', 'b-1')
  readonly world: World

  constructor(
    readonly refused?: string,
    crash?: BenchOptions['crash'],
  ) {
    const world: World = { room: 'free', charged: new Set() }
    super({ definitions: [booking], answer: ({ type }) => hotel(world, type, refused), activities: bank(world), crash })
    this.world = world
  }

  async play(): Promise<void> {
    await this.apply({
      kind: 'start',
      id: 'the guest booked',
      sagaId: this.sagaId,
      type: 'booking',
      correlationKey: 'b-1',
      data: { room: '101', guest: 'g-1' },
      context: { correlationId: 'b-1', causationId: 'web' },
    })
    await this.run()
  }

  /** Confirmed and paid, or free and not paid: nothing between. */
  async check(): Promise<void> {
    const { room, charged } = this.world
    const paid = (await this.end()) === 'COMPLETED'
    deepStrictEqual(
      { room, charged: charged.size, errors: this.errors },
      { room: paid ? 'confirmed' : 'free', charged: paid ? 1 : 0, errors: [] },
    )
  }

  async end(): Promise<string> {
    return statusOf(await this.state(this.sagaId))
  }
}

const hotel = (world: World, command: string, refused?: string): BenchAnswer => {
  if (command === refused) return { refused: 'no' }
  world.room = command === 'HoldRoom' ? 'held' : command === 'ConfirmRoom' ? 'confirmed' : 'free'
  return { accepted: {} }
}

/** Idempotent by `run.key`, as the real one must be: a run whose process died is run again. */
const bank = ({ charged }: World): Record<string, Activity> => ({
  charge: async ({ sagaId }) => {
    charged.add(sagaId)
    return { outcome: 'succeeded', result: { receipt: 'r-1' } }
  },
  refund: async ({ sagaId }) => {
    charged.delete(sagaId)
    return { outcome: 'succeeded', result: {} }
  },
})
