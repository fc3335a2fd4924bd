import { describe, expect, it } from '@jest/globals'
import { CONTRACTS, ContractViolation, DEAD_LETTERS, OrderConfirmed, REDRIVES, TOPICS } from '#contracts'

describe('contracts', () => {
  it.each(CONTRACTS.map((contract) => [contract.type, contract] as const))(
    '%s accepts its own example and refuses an empty object',
    (_, contract) => {
      expect(contract.parse(contract.example)).toBe(contract.example)
      expect(() => contract.parse({})).toThrow(ContractViolation)
      expect([...TOPICS, DEAD_LETTERS, REDRIVES]).toContain(contract.topic)
    },
  )

  it('names each path that is wrong', () => {
    expect(() => OrderConfirmed.parse({ ...OrderConfirmed.example, version: 0 })).toThrow(/\/version/)
  })

  it('has one contract per name', () => {
    expect(new Set(CONTRACTS.map(({ type }) => type)).size).toBe(CONTRACTS.length)
  })
})
