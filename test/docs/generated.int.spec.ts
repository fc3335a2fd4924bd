import { execFileSync } from 'node:child_process'
import { describe, expect, it } from '@jest/globals'
import { mermaidOf } from '#saga'
import { sagaDefinitions } from '../../apps/payment-saga/sagas/definitions.js'
import { configurationTables } from './configuration.js'
import { expectEmbedded, fenced, root } from './embedded.js'

const definitions = sagaDefinitions({ UPI_WINDOW_SECONDS: 300, REVIEW_WAIT_SECONDS: 90_000 })

describe('what the documents take from code is what the code says', () => {
  it.each(definitions.map((definition) => [definition.type, definition] as const))('the saga %s', (type, definition) => {
    expectEmbedded('docs/architecture.md', `saga ${type}`, fenced('mermaid', mermaidOf(definition)))
  })

  it('the environment of every app', () => {
    expectEmbedded('docs/operations.md', 'configuration', configurationTables())
  })
})

it('the lock file names the compiled packages of every platform', () => {
  const output = execFileSync(process.execPath, ['scripts/lock.mjs', '--check'], { cwd: root, encoding: 'utf8', timeout: 30_000 })
  expect(output).toContain('good on every platform')
})
