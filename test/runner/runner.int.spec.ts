import { describe, expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Said {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly broken: number
  readonly text: string
}

/** What a run of Jest under this runner says of specs with this text. */
const run = async (specs: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}): Promise<Said> => {
  const folder = await mkdtemp(join(tmpdir(), 'bahi-runner-'))
  try {
    const names = Object.keys(specs)
    for (const name of names)
      await writeFile(join(folder, `${name}.spec.ts`), `import { beforeAll, expect, it } from '@jest/globals'\n${specs[name]}`)
    const config = {
      rootDir: folder,
      testMatch: ['<rootDir>/*.spec.ts'],
      runner: join(root, 'test/runner/index.mjs'),
      setupFiles: [join(root, 'test/runner/no-framework.mjs')],
      transform: {},
    }
    const results = join(folder, 'results.json')
    const jest = [
      join(root, 'node_modules/jest/bin/jest.js'),
      '--config',
      JSON.stringify(config),
      '--json',
      '--outputFile',
      results,
      '--maxWorkers=2',
    ]
    await new Promise((resolve) =>
      execFile(process.execPath, jest, { cwd: folder, timeout: 80_000, env: { ...process.env, ...env } }, resolve),
    )
    const text = await readFile(results, 'utf8')
    const said = JSON.parse(text) as Record<string, number>
    return {
      passed: said['numPassedTests'] ?? 0,
      failed: said['numFailedTests'] ?? 0,
      skipped: said['numPendingTests'] ?? 0,
      broken: said['numRuntimeErrorTestSuites'] ?? 0,
      text,
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

describe('the runner of the unit and integration suites', () => {
  it('passes what passes, and fails what Jest would fail', async () => {
    const { passed, failed, broken, text } = await run({
      passing: `it.each([1, 2])('%i is itself', async (each) => expect(each).toBe(each))`,
      failing: `it('is two', () => { const one: number = 1; expect(one).toBe(2) })`,
      late: `it('is late', () => new Promise(() => undefined), 50)`,
      unready: `beforeAll(() => { throw new Error('not ready') })\nit('is ready', () => expect(1).toBe(1))`,
      empty: ``,
      broken: `it('is never asked', () => undefined)\nimport './nowhere.js'`,
      framework: `import '@nestjs/core'\nit('has Nest', () => undefined)`,
    })
    // The test beside the hook that failed ran nevertheless.
    expect([passed, failed, broken]).toEqual([3, 3, 3])
    for (const said of ['not done after 50 ms', 'not ready', 'a spec without a test', 'nowhere', 'a unit spec loads the framework'])
      expect(text).toContain(said)
  })
})

describe('what this machine lacks', () => {
  const support = (file: string) => JSON.stringify(join(root, 'test/support', file))
  const specs = {
    kafka: `import { afterAll, describe } from '@jest/globals'
      import { withKafka } from ${support('kafka.mjs')}
      withKafka({ describe, it, beforeAll, afterAll }, (kafka) => it('has a broker', () => expect(kafka().brokers).toHaveLength(1)))`,
    redis: `import { describe } from '@jest/globals'
      import { failWithout, skippedWithout } from ${support('kafka.mjs')}
      import { redisMissing } from ${support('redis.mjs')}
      if (!skippedWithout({ describe, it }, 'Redis', redisMissing())) it('has a Redis', () => failWithout(redisMissing()))`,
  }

  it('is skipped, and says what it needs', async () => {
    const { passed, failed, skipped, broken, text } = await run(specs, { PATH: '', CI: '' })
    expect([passed, failed, skipped, broken]).toEqual([0, 0, 2, 0])
    for (const said of ['skipped: needs Java 17', 'skipped: needs redis-server']) expect(text).toContain(said)
  })

  it('fails with CI=true', async () => {
    const { passed, failed, skipped, broken, text } = await run(specs, { PATH: '', CI: 'true' })
    // Kafka's hook, and the test beside it.
    expect([passed, failed, skipped, broken]).toEqual([0, 2 + 1, 0, 0])
    for (const said of ['CI=true and needs Java 17', 'CI=true and needs redis-server']) expect(text).toContain(said)
  })
})
