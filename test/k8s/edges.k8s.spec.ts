import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { audit } from '../chaos/audit.js'
import { random, Shop, Traffic } from '../chaos/traffic.js'
import { baseUrl } from '../e2e/shop.js'
import { EDGES } from './dependencies.js'
import { enforce, release, type Way } from './enforce.mjs'
import { openEdges } from './network.js'
import type { KubeObject } from './objects.js'
import { kubectl } from './pods.js'

/** Set where the node is this machine and has no plugin for policies: its own packet filter then does what one would. */
const BY_OURSELVES = process.env['BAHI_K8S_ENFORCE'] === 'true'
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const CONNECT_S = 3
const ORDERS = 60

interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string; readonly labels: Readonly<Record<string, string>> }
  readonly spec: { readonly containers: readonly { readonly ports?: readonly { readonly containerPort: number }[] }[] }
  readonly status: { readonly phase: string; readonly podIP: string }
}
interface Running {
  readonly app: string
  readonly pod: string
  readonly address: string
  readonly ports: readonly number[]
}

const get = async <T>(...what: readonly string[]): Promise<readonly T[]> =>
  (JSON.parse(await kubectl(['get', ...what, '-o', 'json'])) as { items: readonly T[] }).items

const running = async (): Promise<readonly Running[]> =>
  (await get<Pod>('pods'))
    .filter(({ metadata, status }) => status.phase === 'Running' && !metadata.deletionTimestamp)
    .map(({ metadata, spec, status }) => ({
      app: metadata.labels['app.kubernetes.io/name'] ?? '',
      pod: metadata.name,
      address: status.podIP,
      ports: spec.containers.flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort)),
    }))

/** `from -> to:port` for each connection that really opens, tried from inside every pod to every port where another app's listens. */
const opened = async (pods: readonly Running[]): Promise<readonly string[]> => {
  const from = async ({ app, pod }: Running): Promise<readonly string[]> => {
    const others = pods.filter((other) => other.app !== app)
    const attempts = others.flatMap(({ app: to, address, ports }) =>
      ports.map((port) => `(timeout ${CONNECT_S} bash -c '</dev/tcp/${address}/${port}' 2>/dev/null && echo '${app} -> ${to}:${port}') &`),
    )
    return (await kubectl(['exec', pod, '--', 'bash', '-c', `${attempts.join('\n')}\nwait`])).split('\n').filter(Boolean)
  }
  const edges: string[] = []
  for (const pod of pods) edges.push(...(await from(pod)))
  return [...new Set(edges)].toSorted()
}

let pods: readonly Running[] = []
beforeAll(async () => {
  pods = await running()
}, 60_000)
afterAll(() => {
  if (BY_OURSELVES) release()
})

const expected = (): readonly string[] => {
  const apps = new Set(pods.map(({ app }) => app))
  return EDGES.local
    .filter((edge) => {
      const [from = '', to = ''] = edge.split(/ -> |:/)
      // A pod's way to itself leaves it for no filter.
      return from !== to && apps.has(from) && apps.has(to)
    })
    .toSorted()
}

if (BY_OURSELVES)
  it('without anything that enforces them, pods reach what they should not: so it is seen', async () => {
    const open = await opened(pods)
    expect(open).toEqual(expect.arrayContaining([...expected(), 'front -> postgres:5432', 'provider-sandbox -> kafka:9092']))
  }, 240_000)

it('with the policies enforced each pod opens exactly the ways of the dependency table', async () => {
  if (BY_OURSELVES) {
    const objects = await get<KubeObject>('networkpolicies,deployments,statefulsets')
    const addresses = (app: string) => pods.filter((each) => each.app === app).map(({ address }) => address)
    const names = JSON.parse(await kubectl(['get', 'pods', '-n', 'kube-system', '-l', 'k8s-app=kube-dns', '-o', 'json'])) as {
      items: readonly Pod[]
    }
    const ways: Way[] = openEdges(objects).flatMap((edge) => {
      const [from = '', to = '', port = ''] = edge.split(/ -> |:/)
      return addresses(from).flatMap((a) => addresses(to).map((b): Way => ({ from: a, to: b, port: Number(port), protocol: 'tcp' })))
    })
    const lookups = pods.flatMap(({ address }) =>
      names.items.flatMap(({ status }) =>
        (['tcp', 'udp'] as const).map((protocol): Way => ({ from: address, to: status.podIP, port: 53, protocol })),
      ),
    )
    enforce(
      pods.map(({ address }) => address),
      [...ways, ...lookups],
    )
  }
  expect(await opened(pods)).toEqual(expected())
}, 240_000)

it('these ways are enough: orders by every method end, and the books add up', async () => {
  const shop = new Shop(baseUrl())
  const traffic = new Traffic(shop, random(SEED), `k8s-edges-${SEED}`)
  await traffic.open(3, 3)
  traffic.start(4)
  const until = Date.now() + 120_000
  while (traffic.placed.length < ORDERS && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 100))
  await traffic.stop()
  expect(traffic.placed.length).toBeGreaterThanOrEqual(ORDERS)
  expect(await audit(traffic)).toEqual([])
}, 400_000)
