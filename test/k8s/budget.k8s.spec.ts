import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { NAMESPACE } from './cluster.mjs'
import { kubectl, readyAgain } from './pods.js'

const evict = (name: string): Promise<string> =>
  kubectl(
    ['create', '--raw', `/api/v1/namespaces/${NAMESPACE}/pods/${name}/eviction`, '-f', '-'],
    JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: NAMESPACE } }),
  )
const scale = (replicas: number): Promise<string> => kubectl(['scale', 'deployment/wallet', `--replicas=${replicas}`])

beforeAll(() => scale(2))
afterAll(async () => {
  await scale(1)
  await readyAgain('wallet', 1)
}, 300_000)

it('a drain takes one of two pods, is refused the other until a new one is ready, and is not held up for ever', async () => {
  const [first = '', second = ''] = await readyAgain('wallet', 2)
  await evict(first)
  await expect(evict(second)).rejects.toThrow(/violate the pod's disruption budget/)
  await readyAgain('wallet', 2, [first])
  // The controller counts a moment after the pod is ready.
  for (let attempt = 0; attempt < 60; attempt++) {
    if ((await kubectl(['get', 'pdb', 'wallet', '-o', 'jsonpath={.status.disruptionsAllowed}'])) === '1') break
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  await evict(second)
  await readyAgain('wallet', 2, [first, second])
}, 600_000)
