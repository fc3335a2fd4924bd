import { describe, expect, it } from '@jest/globals'
import Type from 'typebox'
import { baseConfig, DevIssuerModule, InvalidConfig, memoryIssuerKeys, parseConfig } from './index.js'

const schema = Type.Object({ ...baseConfig, UPI_WINDOW_SECONDS: Type.Integer({ minimum: 1, default: 300 }) })
const env = {
  DATABASE_URL: 'postgres://user:hunter2@localhost/db',
  DATABASE_SCHEMA: 'wallet',
  JWKS_URL: 'http://localhost:3000/v1/dev/jwks',
  JWT_ISSUER: 'bahi',
  MASTER_KEY: Buffer.alloc(32).toString('base64'),
  FRAUD_HASH_KEY: 'x'.repeat(32),
  REGION: 'ap-south-1',
  PATH: '/bin',
}

describe('configuration', () => {
  it('is read, coerced and filled in', () => {
    const config = parseConfig(schema, { ...env, PORT: '8080', DEV_ISSUER: 'true', REDIS_URL: '' })
    expect(config).toMatchObject({
      PORT: 8080,
      DEV_ISSUER: true,
      NODE_ENV: 'development',
      LOG: 'postgres',
      RATE_LIMIT_BURST: 1000,
      UPI_WINDOW_SECONDS: 300,
    })
    expect(config).not.toHaveProperty('PATH')
    expect(config).not.toHaveProperty('REDIS_URL')
  })

  it.each([
    ['PORT', 'eighty', /^PORT: must be integer$/],
    ['PORT', '70000', /^PORT: must be <= 65535$/],
    ['DATABASE_URL', undefined, /^DATABASE_URL: must be set$/],
    ['DATABASE_URL', 'mysql://user:hunter2@x/y', /^DATABASE_URL: must match pattern/],
    ['DATABASE_URL', 'postgres://user:hunter2@x/y?sslmode=no-verify', /^DATABASE_URL: sslmode must be verify-full, which checks/],
    ['DATABASE_URL', 'postgres://user:hunter2@x/y?ssl=no-verify', /^DATABASE_URL: sslmode must be verify-full, which checks/],
    [
      'DATABASE_URL',
      'postgres://user:hunter2@x/y?sslmode=verify-full&sslmode=no-verify',
      /^DATABASE_URL: sslmode must be verify-full, which checks/,
    ],
    ['LOG', 'rabbit', /^LOG: .*: postgres, kafka$/],
    ['DEV_ISSUER', 'maybe', /^DEV_ISSUER: must be boolean$/],
    ['MASTER_KEY', 'short-secret', /^MASTER_KEY: must match pattern/],
    ['DATABASE_SCHEMA', 'a; DROP', /^DATABASE_SCHEMA: must match pattern/],
  ])('%s=%s is refused in one line that names it and not its value', (name, value, message) => {
    const read = () => parseConfig(schema, { ...env, [name]: value })
    expect(read).toThrow(InvalidConfig)
    expect(read).toThrow(message)
    expect(read).not.toThrow(/\n|hunter2|short-secret/)
  })
})

describe('the region', () => {
  it.each(['ap-south-2', 'asia-south1', 'centralindia', 'in-bengaluru-2'])('%s is in India', (REGION) => {
    expect(parseConfig(schema, { ...env, REGION })).toMatchObject({ REGION })
  })

  it.each(['us-east-1', 'ap-south-10', 'asia-southeast1', 'in-', 'IN-MUMBAI', 'in-x\nus-east-1'])(
    '%j is refused, and what is allowed is said',
    (REGION) => {
      expect(() => parseConfig(schema, { ...env, REGION })).toThrow(/^REGION: must be in India \(RBI.*ap-south-1.*in-<your data centre>$/)
    },
  )

  it('must be said: there is no default', () => {
    expect(() => parseConfig(schema, { ...env, REGION: undefined })).toThrow(/^REGION: must be set$/)
  })
})

describe('the development issuer', () => {
  it('cannot be enabled in production: not by configuration, not by mounting it', () => {
    expect(() => parseConfig(schema, { ...env, NODE_ENV: 'production', DEV_ISSUER: 'true' })).toThrow(/^DEV_ISSUER: .* cannot be enabled/)
    const mount = (NODE_ENV: 'production' | 'development', DEV_ISSUER: boolean) =>
      DevIssuerModule.register({ NODE_ENV, DEV_ISSUER, JWT_ISSUER: 'i', JWT_AUDIENCE: 'a' }, memoryIssuerKeys())
    expect(() => mount('production', true)).toThrow(InvalidConfig)
    expect(mount('production', false).controllers).toBeUndefined()
    expect(mount('development', true).controllers).toHaveLength(1)
  })
})
