import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { EDGES } from './dependencies.js'
import { openEdges } from './network.js'
import { named, type KubeObject } from './objects.js'
import { planted } from './planted.js'
import { brokersAreRestricted, fitsTheOperators, listenersAreOpenTo, operatorPodsReachTheApiServer, operatorsOf } from './operators.js'
import { connectionsFit } from './connections.js'
import { payersComeBack } from './payers.js'
import { acknowledgedIsOnTwo, encryptedAtRest, imagesAreBuiltOn } from './stores.js'
import { storesAreReachedByTls } from './tls.js'

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

  describe('what the operators make of production', () => {
    type Rules = { spec: { egress: { ports?: { port: number }[] }[]; podSelector: object } }
    type Brokers = {
      spec: { kafka: { version: string; listeners: [{ networkPolicyPeers?: object[] }]; template: { initContainer?: object } } }
    }
    const planting = (change: (spec: Brokers['spec']['kafka']) => unknown) =>
      planted(production(), 'Kafka', 'kafka', ({ spec }: Brokers) => void change(spec.kafka))

    it('reaches the API server, without which no pod of theirs starts', () => {
      expect(operatorPodsReachTheApiServer(production())).toEqual([])
    })

    it('would not start where a policy of its pods says nothing of the API server, or where none is of its pods', () => {
      const shut = planted(production(), 'NetworkPolicy', 'kafka', ({ spec }: Rules) => spec.egress.pop())
      expect(operatorPodsReachTheApiServer(shut)).toEqual(['kafka does not reach the API server'])
      const half = planted(production(), 'NetworkPolicy', 'postgres', ({ spec }: Rules) => spec.egress.at(-1)?.ports?.pop())
      expect(operatorPodsReachTheApiServer(half)).toEqual([
        'postgres does not reach the API server',
        'postgres-job does not reach the API server',
      ])
      // By the labels that an instance inherits, and the pods of a Job do not.
      const instances = planted(production(), 'NetworkPolicy', 'postgres', ({ spec }: Rules) => {
        spec.podSelector = { matchLabels: { 'app.kubernetes.io/name': 'postgres' } }
      })
      expect(operatorPodsReachTheApiServer(instances)).toEqual(['postgres-job does not reach the API server'])
      expect(openEdges(instances)).not.toContain('postgres-job -> postgres:*')
    })

    const operators = operatorsOf(readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8'))

    it('is what the operators of docs/operations.md take, from their namespaces', () => {
      expect([...operators.keys()]).toEqual(['CloudNativePG', 'Strimzi', 'KEDA', 'External Secrets', 'Prometheus operator', 'Gateway API'])
      expect(fitsTheOperators(production(), operators)).toEqual([])
    })

    it('would not be with a Kafka that the operator has no images of, or an operator elsewhere', () => {
      expect(
        fitsTheOperators(
          planting((kafka) => (kafka.version = '4.1.1')),
          operators,
        ),
      ).toEqual(['Strimzi 1.2.0 does not take kafka of 4.1.1'])
      const unsaid = new Map([...operators].filter(([name]) => name !== 'KEDA'))
      expect(fitsTheOperators(production(), unsaid)).toEqual(['the namespace keda is in no table'])
    })

    const clients = EDGES.production.flatMap((edge) => /^([\w-]+) -> kafka:9092$/.exec(edge)?.[1] ?? [])

    it('lets nobody to the brokers but who is in the dependency table, and the scaler', () => {
      expect(clients).toHaveLength(5)
      expect(listenersAreOpenTo(production(), [...clients, 'keda/'])).toEqual([])
    })

    it('would let everybody in, or others, or not all, where a listener says so', () => {
      const open = planting(({ listeners: [listener] }) => delete listener.networkPolicyPeers)
      expect(listenersAreOpenTo(open, clients)).toEqual(['the listener tls of kafka is open to everybody'])
      const other = planting(({ listeners: [{ networkPolicyPeers = [] }] }) => {
        networkPolicyPeers[0] = { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'front' } } }
        networkPolicyPeers.push({ namespaceSelector: {} })
      })
      expect(listenersAreOpenTo(other, [...clients, 'keda/'])).toEqual([
        'the listener tls of kafka is open to front',
        'the listener tls of kafka is open to every namespace/',
        'the listener tls of kafka is closed to order-command',
      ])
    })

    it('is admitted by the namespace, which is restricted', () => {
      expect(brokersAreRestricted(production())).toEqual([])
      expect(brokersAreRestricted(planting(({ template }) => delete template.initContainer))).toEqual([
        'the initContainer of kafka may run as root',
        'the initContainer of kafka has no seccomp profile',
        'the initContainer of kafka may gain privileges',
        'the initContainer of kafka keeps capabilities',
      ])
    })
  })

  it('has connections for every app at its most replicas, rolled, on an image that is built on', () => {
    expect(connectionsFit(production())).toEqual([])
    expect(imagesAreBuiltOn(production())).toEqual([])
    type Cluster = { spec: { imageName: string; postgresql: { parameters: Record<string, string> } } }
    const small = planted(production(), 'Cluster', 'postgres', ({ spec }: Cluster) => {
      spec.postgresql.parameters['max_connections'] = '500'
      spec.imageName = 'ghcr.io/cloudnative-pg/postgresql:18'
    })
    expect(connectionsFit(small)).toEqual(['postgres takes 500 connections, and there may be 568'])
    expect(imagesAreBuiltOn(small)).toEqual(['postgres runs ghcr.io/cloudnative-pg/postgresql:18'])
    const hungry = planted(
      production(),
      'Deployment',
      'fraud',
      ({ spec }: { spec: { template: { spec: { containers: [{ env: object[] }] } } } }) =>
        spec.template.spec.containers[0].env.push({ name: 'DATABASE_CONNECTIONS', value: '20' }),
    )
    expect(connectionsFit(hungry)).toEqual(['postgres takes 600 connections, and there may be 638'])
  })

  it('sends payers back from their bank to the host that it is reached at, and on to the shop', () => {
    expect(payersComeBack(production())).toEqual([])
    type Settings = { data: Record<string, string> }
    const lost = planted(production(), 'ConfigMap', 'provider', ({ data }: Settings) => {
      delete data['PUBLIC_URL']
      delete data['PAYMENT_RETURN_URL']
    })
    expect(payersComeBack(lost)).toEqual(['payers are sent back to undefined', 'payers end at undefined'])
    const elsewhere = planted(production(), 'ConfigMap', 'provider', ({ data }: Settings) => (data['PUBLIC_URL'] = 'https://shop.example'))
    expect(payersComeBack(elsewhere)).toEqual(['payers are sent back to https://shop.example'])
  })

  it('production is watched: its apps and its gateway are scraped, and the rules are there', () => {
    // Of what is not there no check of its parts finds anything wrong.
    expect(['PodMonitor', 'PrometheusRule'].map((kind) => named(production(), kind).map(({ metadata }) => metadata.name))).toEqual([
      ['apps', 'gateway'],
      ['bahi', 'bahi-cluster'],
    ])
  })

  describe('what production speaks with', () => {
    type Env = { spec: { template: { spec: { containers: [{ env: { value?: string }[] }] } } } }
    type Authorities = { spec: { template: { spec: { volumes: [{ projected: { sources: { secret: { name: string } }[] } }] } } } }
    type Listeners = { spec: { kafka: { listeners: { tls: boolean }[] } } }
    type Triggers = { spec: { triggers: { metadata: Record<string, string>; authenticationRef?: object }[] } }

    it('is reached by TLS, checked against the authority of its own cluster', () => {
      expect(storesAreReachedByTls(production())).toEqual([])
    })

    it('would not pass in the open, or trusting anybody else', () => {
      const open = planted(production(), 'Kafka', 'kafka', ({ spec }: Listeners) => (spec.kafka.listeners[0]!.tls = false))
      expect(storesAreReachedByTls(open)).toEqual(['kafka listens in the open at 9092'])

      const unset = planted(production(), 'ConfigMap', 'settings', ({ data }: { data: Record<string, string> }) => delete data['KAFKA_TLS'])
      expect(storesAreReachedByTls(unset)).toEqual(
        ['fraud', 'order-command', 'order-query', 'payment-saga', 'wallet'].map((app) => `Deployment ${app}: KAFKA_TLS is not set`),
      )

      const unasked = planted(production(), 'Job', 'migrate-wallet', ({ spec }: Env) => {
        for (const each of spec.template.spec.containers[0].env) if (each.value) each.value = each.value.replace(/\?.*/, '')
      })
      expect(storesAreReachedByTls(unasked)).toEqual([
        'Job migrate-wallet: DATABASE_URL asks for no TLS',
        'Job migrate-wallet: KEYS_DATABASE_URL asks for no TLS',
      ])

      const others = planted(production(), 'Deployment', 'fraud', ({ spec }: Authorities) => {
        for (const { secret } of spec.template.spec.volumes[0].projected.sources) secret.name = 'elsewhere'
      })
      expect(storesAreReachedByTls(others)).toEqual([
        "Deployment fraud: DATABASE_URL trusts who is not its cluster's",
        "Deployment fraud: KAFKA_CA_FILE is not of the brokers' authority",
      ])

      const scaled = planted(production(), 'ScaledObject', 'payment-saga', ({ spec }: Triggers) => {
        delete spec.triggers[0]!.metadata['tls']
        delete spec.triggers[1]!.authenticationRef
      })
      expect(storesAreReachedByTls(scaled)).toEqual([
        'the scaler of payment-saga asks for replies without TLS',
        'the scaler of payment-saga asks for orders.events without TLS',
      ])
    })
  })
}
