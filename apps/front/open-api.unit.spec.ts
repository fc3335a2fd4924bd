import { describe, expect, it } from '@jest/globals'
import type { OpenAPIObject } from '@nestjs/swagger'
import { mergeOpenApi } from './open-api.js'
import type { AppName } from './routing-table.js'

const document = (path: string, schemas: Record<string, object>, refers: string): OpenAPIObject => ({
  openapi: '3.0.0',
  info: { title: 'x', version: '1' },
  components: { schemas: schemas as never },
  paths: {
    [path]: {
      get: {
        operationId: 'Controller_read',
        responses: { 200: { description: '', content: { 'application/json': { schema: { $ref: `#/components/schemas/${refers}` } } } } },
      },
    },
  },
})
const merge = (...documents: [AppName, OpenAPIObject][]) => mergeOpenApi(new Map(documents))
const refersTo = (merged: OpenAPIObject, path: string): string =>
  (JSON.stringify(merged.paths[path]) ?? '').match(/schemas\/(\w+)/)?.[1] ?? ''

const money = { type: 'object', properties: { amount: { type: 'string' } } }
const wholeMoney = { type: 'object', properties: { amount: { type: 'integer' } } }
const wallet = { type: 'object', properties: { balance: { $ref: '#/components/schemas/Money' } } }

describe('merging the documents', () => {
  it('keeps one of what two apps mean alike', () => {
    const merged = merge(
      ['wallet', document('/v1/wallets', { Money: money }, 'Money')],
      ['fraud', document('/v1/fraud/alerts', { Money: money }, 'Money')],
    )
    expect(merged.components?.schemas).toEqual({ Money: money })
  })

  it('names what two apps mean differently after the app, and all that refers to it', () => {
    const merged = merge(
      ['wallet', document('/v1/wallets', { Money: money, Wallet: wallet }, 'Wallet')],
      ['fraud', document('/v1/fraud/alerts', { Money: wholeMoney, Wallet: wallet }, 'Wallet')],
    )
    expect(refersTo(merged, '/v1/wallets')).toBe('Wallet')
    expect(refersTo(merged, '/v1/fraud/alerts')).toBe('FraudWallet')
    expect(merged.components?.schemas).toEqual({
      Money: money,
      Wallet: wallet,
      FraudMoney: wholeMoney,
      FraudWallet: { type: 'object', properties: { balance: { $ref: '#/components/schemas/FraudMoney' } } },
    })
  })

  it('leaves out what the routing table does not give the app, with its schemas', () => {
    const merged = merge(['fraud', document('/v1/wallets', { Money: money }, 'Money')])
    expect(merged.paths['/v1/wallets']).toBeUndefined()
    expect(merged.components?.schemas).toEqual({})
  })

  it('tells operations of one name apart', () => {
    const merged = merge(
      ['wallet', document('/v1/wallets', { Money: money }, 'Money')],
      ['fraud', document('/v1/fraud/alerts', { Money: money }, 'Money')],
    )
    const ids = Object.values(merged.paths).map((path) => path.get?.operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })
})
