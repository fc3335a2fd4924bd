import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { testServerUrl } from '#postgres/testing'
import pg from 'pg'
import { killServer, newHome, postmasterPid, removeHome } from '../../../test/chaos/running-process.js'
import { placePostgres } from './placement.js'
import { removePostgres, startPostgres } from './server.js'

describe('the PostgreSQL of a folder', () => {
  let home: string
  let placement: Awaited<ReturnType<typeof placePostgres>>
  beforeAll(async () => {
    home = newHome()
    placement = await placePostgres(home)
  })
  afterAll(async () => {
    await removePostgres(placement)
    removeHome(home)
  })

  it('starts after it was killed and its pid went to the server of another folder, which it leaves alone', async () => {
    const data = join(placement.folder, 'data')
    await startPostgres(placement)
    killServer(data)
    const other = new pg.Client({ connectionString: testServerUrl() })
    await other.connect()
    const { rows } = await other.query<{ folder: string }>("SELECT current_setting('data_directory') AS folder")
    const otherPid = readFileSync(join(rows[0]?.folder ?? '', 'postmaster.pid'), 'utf8').split('\n', 1)[0] ?? ''
    const pidFile = join(data, 'postmaster.pid')
    writeFileSync(pidFile, [otherPid, ...readFileSync(pidFile, 'utf8').split('\n').slice(1)].join('\n'))

    const again = await startPostgres(placement)
    expect(again.how).toBe('started')
    expect(postmasterPid(data)).not.toBe(Number(otherPid))
    expect((await other.query('SELECT 1')).rowCount).toBe(1)
    await other.end()
    expect((await startPostgres(placement)).how).toBe('adopted')
    await again.stop()
    expect(postmasterPid(data)).toBeUndefined()
  }, 120_000)
})
