import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { SECURITY_HEADERS } from '#platform'
import { parse } from 'yaml'
import { readText, root } from '../docs/embedded.js'
import { docker, exec, outputOf } from './containers.js'

const { services } = parse(readText('docker-compose.yml'), { merge: true }) as {
  readonly services: { readonly gateway: { readonly image: string } }
}

/** nginx of its image with the gateway's configuration, alone, before `upstreams.conf`: asked from within, by its own address in the engine's private network. */
describe('the gateway', () => {
  let id = ''
  let own = ''
  const curl = (...args: readonly string[]) => exec(id, 'curl', '-sS', '--max-time', '10', ...args)

  beforeAll(async () => {
    const files = {
      'deploy/gateway/nginx.conf': 'nginx.conf',
      'deploy/gateway/routes.conf': 'routes.conf',
      'test/compose/upstreams.conf': 'conf.d/upstreams.conf',
    }
    const mounts = Object.entries(files).flatMap(([from, to]) => ['--volume', `${join(root, from)}:/etc/nginx/${to}:ro`])
    id = await docker('run', '--detach', '--rm', '--tmpfs', '/etc/nginx/conf.d:uid=101,mode=700', ...mounts, services.gateway.image)
    own = await docker('inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', id)
    await curl('--retry', '30', '--retry-connrefused', '--retry-delay', '1', `http://${own}:8080/`)
  }, 60_000)
  afterAll(async () => {
    if (id) await docker('kill', id)
  }, 30_000)

  it('tells apps the address that a load balancer in a private network says, not what the caller wrote before it, nor what anybody else says', async () => {
    const seen = (by: string, ...says: readonly string[]) =>
      curl(`http://${by}:8080/`, ...says.flatMap((each) => ['-H', `X-Forwarded-For: ${each}`]))
    expect(await seen(own)).toBe(own)
    expect(await seen(own, '203.0.113.7')).toBe('203.0.113.7')
    // Where nodes stand in for callers, all of a node are one: better than whoever a caller says he is.
    expect(await seen(own, '203.0.113.7, 10.1.2.3')).toBe('10.1.2.3')
    expect(await seen(own, '198.51.100.9', '203.0.113.7')).toBe('203.0.113.7')
    expect(await seen('127.0.0.1', '203.0.113.7')).toBe('127.0.0.1')
  })

  it('says in its log what failed, and nothing of whose it was', async () => {
    const answered = (...how: readonly string[]) =>
      curl('-o', '/dev/null', '-w', '%{http_code}', ...how, `http://${own}:8080/v1/wallets/w-1?phone=9876543210`)
    expect(await answered()).toBe('503')
    expect(await answered('-H', 'Content-Length: 2000000', '-d', 'x')).toBe('413')
    const output = await outputOf(id)
    expect(output).toMatch(/"path":"\/v1\/wallets\/w-1","status":503/)
    expect(output.match(/.*(client: |request: "|9876543210).*/g)).toBeNull()
  })

  it('answers what it refuses itself as a problem, with the headers that apps send, each once', async () => {
    const asked: readonly (readonly [number, ...string[]])[] = [
      [503, `http://${own}:8080/v1/wallets/w-1`],
      [503, '-X', 'POST', `http://${own}:8080/v1/orders`],
      [413, '-H', 'Content-Length: 2000000', '-d', 'x', `http://${own}:8080/v1/orders`],
      [405, '-X', 'TRACE', `http://${own}:8080/`],
      [431, '-H', `x-large: ${'y'.repeat(70_000)}`, `http://${own}:8080/`],
      [400, '-H', 'Host: a/b', `http://${own}:8080/`],
      [404, `http://${own}:8080/%00`],
    ]
    for (const [status, ...how] of asked) {
      const [head = '', body = ''] = (await curl('-i', ...how)).split('\r\n\r\n')
      expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
      expect(JSON.parse(body)).toMatchObject({ status })
      const own = head.split('\r\n').map((line) => line.toLowerCase())
      const headers = Object.entries({ ...SECURITY_HEADERS, 'cache-control': 'no-store', 'content-type': 'application/problem+json' })
      for (const [name, value] of headers)
        expect(own.filter((line) => line.startsWith(`${name}:`))).toEqual([`${name}: ${value}`.toLowerCase()])
      expect(own.filter((line) => line.startsWith('retry-after:'))).toEqual(status === 503 ? ['retry-after: 1'] : [])
    }
    // Its own places for that are nobody else's: front, which is asked, says so.
    expect(await curl(`http://${own}:8080/.problem/method`)).toBe(own)
    expect(await outputOf(id)).toMatch(/"method":"POST","path":"\/v1\/orders","status":503,"to":"order-command"/)
  })
})
