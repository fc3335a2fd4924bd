import { expect, it } from '@jest/globals'
import type pg from 'pg'
import { DataSource } from 'typeorm'
import { dataSourceOptions } from './data-source.js'

it('gives TypeORM connections that listen for errors from the start', () => {
  const url = 'postgres://nobody@127.0.0.1:1/none'
  const source = new DataSource(dataSourceOptions({ url, schema: 'app', applicationName: 'test', maxConnections: 1 }, []))
  const { Client } = source.options.extra as { Client: new (config: pg.ClientConfig) => pg.Client }
  expect(() => new Client({}).emit('error', new Error('the server has gone'))).not.toThrow()
})
