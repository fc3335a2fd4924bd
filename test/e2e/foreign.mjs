import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A pattern of the specs here that start what they test, and so say nothing of a platform that runs already. */
export const foreignSpecs = () =>
  readdirSync(import.meta.dirname)
    .filter(
      (file) =>
        file.endsWith('.e2e.spec.ts') &&
        /from '\.\.\/(support\/platform\.mjs|distributed\/processes\.js)'/.test(readFileSync(join(import.meta.dirname, file), 'utf8')),
    )
    .map((file) => file.replaceAll('.', '\\.'))
    .join('|')
