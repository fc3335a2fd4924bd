import { ConsistencyTokenHeader, Roles, type ConsistencyToken } from '#platform'
import { Controller, Get, Inject } from '@nestjs/common'
import { ApiOkResponse, ApiTags } from '@nestjs/swagger'
import { TrialBalances } from '../books/trial-balances.js'
import { trialBalanceView } from '../view.js'
import { TrialBalanceAnswer } from './wallet.answers.js'

@Controller('v1/wallets/trial-balance')
@ApiTags('wallets')
export class BooksController {
  constructor(@Inject(TrialBalances) private readonly balances: TrialBalances) {}

  /** Every account's sum over all wallets' events; the whole is zero. 503 while more was not counted yet than fits the wait: ask again. */
  @Get()
  @Roles('auditor', 'admin')
  @ApiOkResponse({ type: TrialBalanceAnswer })
  async trialBalance(@ConsistencyTokenHeader() _token: ConsistencyToken | undefined): Promise<TrialBalanceAnswer> {
    return trialBalanceView(await this.balances.now())
  }
}
