import { describe, expect, it } from '@jest/globals'
import { kubectl } from './pods.js'

/** What every pod of ours says of itself. */
const restricted = {
  runAsNonRoot: true,
  runAsUser: 1000,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
}
const pod = (securityContext: object, spec: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'tries' },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'tries', image: 'redis:8', securityContext }], ...spec },
  })
const create = (manifest: string): Promise<string> => kubectl(['create', '--dry-run=server', '-f', '-'], manifest)

describe('the namespace', () => {
  it('takes a pod that asks for nothing', async () => {
    expect(await create(pod(restricted))).toContain('created')
  })

  it.each([
    ['to be privileged', pod({ privileged: true }), /privileged/],
    ['to be root', pod({ ...restricted, runAsUser: 0 }), /runAsUser=0/],
    ['to keep capabilities', pod({ ...restricted, capabilities: {} }), /unrestricted capabilities/],
    ['for the network of its node', pod(restricted, { hostNetwork: true }), /host namespaces/],
    ['for a folder of its node', pod(restricted, { volumes: [{ name: 'node', hostPath: { path: '/' } }] }), /hostPath/],
  ])('refuses one that asks %s', async (_, manifest, why) => {
    await expect(create(manifest)).rejects.toThrow(new RegExp(`violates PodSecurity "restricted:.*${why.source}`, 's'))
  })
})
