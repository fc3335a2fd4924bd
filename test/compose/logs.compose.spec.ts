import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { ADDRESS } from '../e2e/shop.js'
import { factsIn } from '../support/facts.js'
import { docker, outputOf, project } from './containers.js'

/** What every order of the suite was sent to. */
const { name, line1, phone } = ADDRESS

/** Of the file that `docker compose` was given, by name. Shorter values are words that may stand anywhere. */
const secrets = (): Readonly<Record<string, string>> => {
  const file = process.env['BAHI_COMPOSE_ENV']
  if (!file) throw new Error('BAHI_COMPOSE_ENV is not set: run the suite through `npm run test:e2e:compose`')
  const lines = readFileSync(file, 'utf8').split('\n')
  return Object.fromEntries(
    lines
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const)
      .filter(([, value]) => value.length >= 16),
  )
}

/** What the suite and the kills have left in the logs of all containers: apps, gateway, stores and migrations, those that ended too. */
describe('the logs of a whole run', () => {
  let facts: Readonly<Record<string, string>>
  let logs: readonly (readonly [container: string, text: string])[]
  beforeAll(async () => {
    facts = { name, line1, phone, ...secrets() }
    const containers = await docker('ps', '--all', '--format', '{{.Names}}', '--filter', `label=com.docker.compose.project=${project()}`)
    logs = await Promise.all(containers.split('\n').map(async (each) => [each, await outputOf(each)] as const))
  }, 120_000)

  it('hold no secret, and nothing that a person is known by', () => {
    expect(Object.keys(facts)).toEqual(expect.arrayContaining(['phone', 'POSTGRES_PASSWORD', 'MASTER_KEY', 'WALLET_DB_PASSWORD']))
    expect(logs.map(([container]) => container)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/postgres/),
        expect.stringMatching(/wallet/),
        expect.stringMatching(/gateway/),
        expect.stringMatching(/migrate/),
      ]),
    )
    expect(logs.map(([, text]) => text).join('')).toMatch(/"status":[45]\d\d/)
    expect(logs.flatMap(([container, text]) => factsIn(facts, text).map((fact) => `${fact} in ${container}`))).toEqual([])
  })

  it('are searched for each of them', () => {
    for (const [fact, value] of Object.entries(facts)) expect(factsIn(facts, `x ${value} y`)).toContain(fact)
  })
})
