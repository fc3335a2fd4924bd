// Emmett's own PostgreSQL store, as its documentation uses it.
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql'

export const openEmmett = async (url, connections) => {
  const store = getPostgreSQLEventStore(url, { connectionOptions: { pooled: true } })
  await store.schema.migrate()
  const versions = new Map()
  const event = (data) => [{ type: 'Happened', data }]
  return {
    connections,
    append: (stream, data) => store.appendToStream(`bench-${stream}`, event(data)),
    /** With the version that it believes in; told that it is another, it asks and tries again. */
    async appendExpected(stream, data) {
      for (;;) {
        const known = versions.get(stream)
        try {
          const expected = known === undefined ? {} : { expectedStreamVersion: known }
          const { nextExpectedStreamVersion } = await store.appendToStream(`bench-${stream}`, event(data), expected)
          if ((versions.get(stream) ?? -1n) < nextExpectedStreamVersion) versions.set(stream, nextExpectedStreamVersion)
          return
        } catch (error) {
          // -1: another made the stream at the same moment.
          if (error.errorCode !== 412) throw error
          const current = BigInt(error.current)
          if (current >= 0n && current > (versions.get(stream) ?? -1n)) versions.set(stream, current)
        }
      }
    },
    async appendMany(stream, count, data) {
      await store.appendToStream(
        `bench-${stream}`,
        Array.from({ length: count }, () => event(data)[0]),
      )
    },
    async fold(stream) {
      const { state } = await store.aggregateStream(`bench-${stream}`, {
        initialState: () => ({ count: 0 }),
        evolve: (state) => ({ count: state.count + 1 }),
      })
      return state.count
    },
    close: () => store.close(),
  }
}
