/** Who may talk to whom, and where: `from -> to:port`. The network policies are held to exactly this. */
const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud'] as const

const everyApp = APPS.flatMap((app) => [
  `gateway -> ${app}:3000`,
  `front -> ${app}:3000`,
  `${app} -> postgres:5432`,
  `${app} -> kafka:9092`,
  `${app} -> redis:6379`,
  `migrate-${app} -> postgres:5432`,
])
/** Event stores are signed and archived once a day. */
const upkeep = APPS.flatMap((app) => [`checkpoint-${app} -> postgres:5432`, `archive-${app} -> postgres:5432`])

export const EDGES: Readonly<Record<'local' | 'production' | 'logs', readonly string[]>> = {
  local: [
    ...everyApp,
    ...upkeep,
    'gateway -> front:3000',
    // The development issuer's keys.
    ...APPS.map((app) => `${app} -> order-command:3000`),
    'payment-saga -> provider-sandbox:3000',
    'provider-sandbox -> gateway:8080',
    'provider-sandbox -> postgres:5432',
    'migrate-provider-sandbox -> postgres:5432',
  ],
  production: [
    ...everyApp,
    ...upkeep,
    'gateway -> front:3000',
    // An instance copies from another, and so does the Job that makes it.
    ...['postgres', 'postgres-job'].flatMap((from) => [`${from} -> postgres:*`, `${from} -> postgres-job:*`]),
    'kafka -> kafka:*',
  ],
  // A collector speaks with its sink, which is elsewhere, and with nothing of ours.
  logs: [],
}

const everywhere = ['names: everybody -> kube-system/kube-dns:53', 'metrics: monitoring/ -> app:3000', 'gateway: anywhere -> gateway:8080']

/** What is opened into and out of the namespace, policy by policy, and to exactly whom. */
export const ELSEWHERE: Readonly<Record<'local' | 'production', readonly string[]>> = {
  local: everywhere,
  production: [
    ...everywhere,
    'postgres: cnpg-system/ -> postgres:*',
    // The API server and the store of backups: where they are is the cluster's.
    'postgres: postgres -> anywhere:443',
    'postgres: postgres -> anywhere:6443',
    'kafka: strimzi/ -> kafka:*',
    'kafka: keda/ -> kafka:9092',
    'kafka: kafka -> anywhere:443',
    'kafka: kafka -> anywhere:6443',
    'issuer-and-provider: order-command,order-query,wallet,payment-saga,fraud -> 0.0.0.0/0 except 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16:443',
  ],
}
