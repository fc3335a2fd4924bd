import { expect, it } from '@jest/globals'
import { join } from 'node:path'
import { docker } from './containers.js'

const layersOf = async (image: string): Promise<unknown> =>
  JSON.parse(await docker('image', 'inspect', '--format', '{{json .RootFS.Layers}}', image))

it('the same sources make the same layers, packages and the app’s own', async () => {
  const again = `${process.env['COMPOSE_PROJECT_NAME']}/fraud:again`
  await docker('build', '--quiet', '--no-cache', '--build-arg', 'APP=fraud', '--tag', again, join(import.meta.dirname, '../..'))
  try {
    expect(await layersOf(again)).toEqual(await layersOf('bahi/fraud:local'))
  } finally {
    await docker('image', 'rm', again)
  }
}, 600_000)
