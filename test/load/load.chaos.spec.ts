import { expect, it } from '@jest/globals'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const load = (...words: readonly string[]) =>
  promisify(execFile)(process.execPath, [join(import.meta.dirname, '../../scripts/load.mjs'), ...words], { timeout: 120_000 })

it('a measurement that `npm run load` lists says what its options are; one that is none is refused with the list', async () => {
  const { stdout } = await load()
  const names = [...stdout.matchAll(/npm run load -- (\S+)/g)].map(([, name]) => name)
  for (const name of ['event-store/append', 'messaging/poison']) {
    expect(names).toContain(name)
    expect((await load(name, '--help')).stdout).toMatch(new RegExp(`npm run load -- ${name}[^]*--rounds`))
  }
  await expect(load('event-store/appends')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('npm run load -- event-store/append\n'),
  })
}, 400_000)
