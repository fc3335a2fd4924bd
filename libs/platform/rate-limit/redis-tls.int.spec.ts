import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Redis } from 'ioredis'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '#kernel/testing'
import { freePort, skippedWithout, failWithout } from '../../../test/support/kafka.mjs'
import { redisMissing } from '../../../test/support/redis.mjs'

const skipped = skippedWithout({ describe, it }, 'Redis by TLS', redisMissing())

if (!skipped) {
  const folder = mkdtempSync(join(tmpdir(), 'bahi-redis-tls-'))
  const file = (name: string) => join(folder, name)
  let port: number
  let server: ChildProcess
  let watcher: Redis

  beforeAll(async () => {
    failWithout(redisMissing())
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe', timeout: 20_000 })
    openssl('req', '-x509', ...key, '-days', '1', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ours')
    openssl('req', ...key, '-keyout', 'redis.key', '-out', 'redis.csr', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1')
    openssl(
      'x509',
      '-req',
      '-in',
      'redis.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-days',
      '1',
      '-copy_extensions',
      'copy',
      '-out',
      'redis.pem',
    )
    port = await freePort()
    const tls = [
      '--tls-cert-file',
      file('redis.pem'),
      '--tls-key-file',
      file('redis.key'),
      '--tls-ca-cert-file',
      file('ca.pem'),
      '--tls-auth-clients',
      'no',
    ]
    const words = ['--port', '0', '--tls-port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', ...tls]
    server = spawn('redis-server', words, { stdio: 'ignore' })
    watcher = new Redis(port, '127.0.0.1', { tls: { ca: readFileSync(file('ca.pem')) } }).on('error', () => undefined)
    await watcher.ping()
  })
  afterAll(async () => {
    watcher.disconnect()
    server.kill('SIGKILL')
    await once(server, 'exit')
    rmSync(folder, { recursive: true })
  })

  /** A replica that counts through `rediss:`, in a process of its own: Node reads the authorities that it trusts when it starts. */
  const replica = (name: string, trusted: Readonly<Record<string, string>>): ChildProcess => {
    const limiter = join(import.meta.dirname, '../../../dist/libs/platform/rate-limit/redis-rate-limiter.js')
    const script = `
      import { redisRateLimiter } from ${JSON.stringify(limiter)}
      const limiter = redisRateLimiter('rediss://127.0.0.1:${port}', ${JSON.stringify(name)}, { perSecond: 1, burst: 1000 }, { now: Date.now })
      for (let i = 0; i < 100; i++) {
        await limiter.take('a')
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await limiter.close()`
    return spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, NODE_OPTIONS: '', ...trusted },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }

  describe('Redis by TLS', () => {
    it('is counted in by a replica that trusts its authority', async () => {
      const child = replica('trusting', { NODE_EXTRA_CA_CERTS: file('ca.pem') })
      await eventually('it counts in Redis', async () => (await watcher.exists('trusting:a')) === 1)
      child.kill('SIGKILL')
    })

    it('is refused where its authority is not trusted: the replica counts for itself', async () => {
      const [code] = (await once(replica('wary', {}), 'exit')) as [number]
      expect([code, await watcher.exists('wary:a')]).toEqual([0, 0])
    })
  })
}
