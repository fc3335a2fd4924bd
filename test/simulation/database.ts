import { MemoryStoreData, memoryEventStore, type MemoryEventStore } from '#event-store/testing'
import type { AnyStreamType, Publisher } from '#event-store'
import { MemoryConsumerStore } from '#messaging/testing'
import type { Clock } from '#kernel'

/** What an app has in its database: it outlives the app's processes. */
export class Database {
  readonly data: MemoryStoreData
  readonly consumers = new MemoryConsumerStore()

  constructor(
    readonly app: string,
    readonly types: readonly AnyStreamType[],
    readonly publish: Publisher,
  ) {
    this.data = new MemoryStoreData(`${app}-1`)
  }

  /** Another process's store on it. */
  open(clock: Clock): MemoryEventStore {
    return memoryEventStore({ types: this.types, publish: this.publish, clock, app: this.app, data: this.data })
  }
}
