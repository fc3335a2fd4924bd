import { describe, expect, it } from '@jest/globals'
import type { KubeObject } from './objects.js'
import { planted } from './planted.js'
import { acknowledgedIsOnTwo, encryptedAtRest } from './stores.js'

/** What is asked of production alone, of what its overlay renders to when tests run. */
export const describeProduction = (production: () => readonly KubeObject[]): void => {
  describe('what production keeps', () => {
    interface Tree {
      [key: string]: Tree
    }
    const without = (kind: string, name: string, path: readonly string[]) =>
      planted(production(), kind, name, ({ spec }: { spec: Tree }) => {
        const last = path.at(-1)!
        const holder = path.slice(0, -1).reduce((each, key) => each[key]!, spec)
        if (!(last in holder)) throw new Error(`${kind} ${name} has no ${path.join('.')} to take away`)
        delete holder[last]
      })

    it('is on volumes of the class that encrypts, and encrypted in backups', () => {
      expect(encryptedAtRest(production())).toEqual([])
    })

    it.each<[string, string, string[], string]>([
      ['Cluster', 'postgres', ['storage', 'storageClass'], 'Cluster postgres is kept on whatever is the default'],
      ['Cluster', 'postgres', ['walStorage', 'storageClass'], "Cluster postgres's WAL is kept on whatever is the default"],
      ['Cluster', 'postgres', ['backup', 'barmanObjectStore', 'wal', 'encryption'], 'the backup of postgres has its wal in the open'],
      ['Cluster', 'postgres', ['backup', 'barmanObjectStore', 'data'], 'the backup of postgres has its data in the open'],
      ['KafkaNodePool', 'broker', ['storage', 'class'], 'KafkaNodePool broker is kept on whatever is the default'],
      [
        'PersistentVolumeClaim',
        'checkpoints-wallet',
        ['storageClassName'],
        'PersistentVolumeClaim checkpoints-wallet is kept on whatever is the default',
      ],
    ])('would not pass where %s %s says no %j', (kind, name, path, what) => {
      expect(encryptedAtRest(without(kind, name, path))).toEqual([what])
    })

    it('is on two machines before it is acknowledged', () => {
      expect(acknowledgedIsOnTwo(production())).toEqual([])
    })

    it.each<[string, string, string[], string]>([
      ['KafkaNodePool', 'broker', ['replicas'], 'kafka has 0 brokers'],
      ...[
        ['default.replication.factor', 3],
        ['min.insync.replicas', 2],
        ['offsets.topic.replication.factor', 3],
        ['transaction.state.log.replication.factor', 3],
        ['transaction.state.log.min.isr', 2],
        ['unclean.leader.election.enable', false],
      ].map(([key, value]): [string, string, string[], string] => [
        'Kafka',
        'kafka',
        ['kafka', 'config', String(key)],
        `kafka has ${key}=undefined, not ${value}`,
      ]),
      ['Cluster', 'postgres', ['instances'], 'postgres has undefined instances'],
      ['Cluster', 'postgres', ['postgresql', 'synchronous'], 'postgres acknowledges what is on one instance'],
    ])('would not survive the loss of one where %s %s says no %j', (kind, name, path, what) => {
      expect(acknowledgedIsOnTwo(without(kind, name, path))).toEqual([what])
    })
  })
}
