import { Controller, Get, Header, Inject, Param, StreamableFile } from '@nestjs/common'
import { Readable } from 'node:stream'
import { Settlements } from '../settlements.js'
import { Problem } from './problem.filter.js'

const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/

@Controller('v1/settlements')
export class SettlementsController {
  constructor(@Inject(Settlements) private readonly settlements: Settlements) {}

  /** The settlement file of a day of India's calendar. */
  @Get(':date')
  @Header('content-type', 'text/csv; charset=utf-8')
  file(@Param('date') date: string): StreamableFile {
    if (!DATE.test(date) || Number.isNaN(Date.parse(date))) throw new Problem(400, 'invalid-request', 'a date is YYYY-MM-DD')
    if (!this.settlements.hasBegun(date)) throw new Problem(404, 'not-settled-yet', 'there is no file of this day yet')
    return new StreamableFile(Readable.from(this.settlements.file(date), { objectMode: false }))
  }
}
