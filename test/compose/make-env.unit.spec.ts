import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { readText, root } from '../docs/embedded.js'

describe('deploy/make-env.sh', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bahi-env-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const make = (): string => {
    const file = join(folder, '.env')
    execFileSync('sh', [join(root, 'deploy/make-env.sh'), file], { timeout: 20_000, stdio: 'ignore' })
    expect((statSync(file).mode & 0o777).toString(8)).toBe('600')
    return readFileSync(file, 'utf8')
  }
  const namesOf = (env: string): readonly string[] =>
    env
      .trim()
      .split('\n')
      .map((line) => line.split('=', 1)[0] ?? '')

  it('makes what docker-compose.yml asks for, for its owner alone, and keeps it on a second run', () => {
    const made = make()
    const asked = [...readText('docker-compose.yml').matchAll(/\$\{(\w+):\?/g)].map(([, name = '']) => name)
    expect(asked.length).toBeGreaterThan(5)
    expect(namesOf(made)).toEqual(expect.arrayContaining(asked))
    expect(make()).toBe(made)
  })

  it('adds what an older file lacks, and takes it from everybody else', () => {
    const older = 'REDIS_PASSWORD=kept\nGRAFANA_PASSWORD=\n'
    writeFileSync(join(folder, '.env'), older)
    chmodSync(join(folder, '.env'), 0o644)
    const made = make()
    expect(made.startsWith(older)).toBe(true)
    expect(made).toMatch(/^GRAFANA_PASSWORD=[0-9a-f]{48}$/m)
    expect(namesOf(made).filter((name) => name === 'REDIS_PASSWORD')).toEqual(['REDIS_PASSWORD'])
  })
})
