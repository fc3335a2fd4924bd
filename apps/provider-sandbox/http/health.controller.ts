import { Controller, Get, Inject } from '@nestjs/common'
import type pg from 'pg'
import { POOL } from '../settings.js'
import { Problem } from './problem.filter.js'

@Controller('health')
export class HealthController {
  constructor(@Inject(POOL) private readonly pool: pg.Pool) {}

  @Get('live')
  live(): unknown {
    return { status: 'ok', checks: {} }
  }

  @Get('ready')
  async ready(): Promise<unknown> {
    await this.pool.query('SELECT 1').catch(() => {
      throw new Problem(503, 'unavailable', 'the database does not answer')
    })
    return { status: 'ok', checks: { database: 'ok' } }
  }
}
