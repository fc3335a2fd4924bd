import {
  BadRequestException,
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Inject,
  Module,
  Param,
  ParseIntPipe,
  Post,
  UnprocessableEntityException,
  type DynamicModule,
  type OnApplicationShutdown,
} from '@nestjs/common'
import type { EventStore } from '#event-store'
import type { PostgresConfig } from '#postgres'
import { cardStream, onCard, openCards } from './event-store.js'

export const EVENT_STORE = Symbol('the event store of cards')

@Controller('cards/:cardId')
export class CardsController {
  constructor(@Inject(EVENT_STORE) private readonly store: EventStore) {}

  /** Sent again with the same key it spends nothing again, and is answered as before. */
  @Post('spend')
  @HttpCode(200)
  async spend(
    @Param('cardId') cardId: string,
    @Headers('idempotency-key') key: string | undefined,
    @Body('points', ParseIntPipe) points: number,
  ): Promise<object> {
    return this.run(key, cardId, { type: 'spend', points })
  }

  @Post('earn')
  @HttpCode(200)
  async earn(
    @Param('cardId') cardId: string,
    @Headers('idempotency-key') key: string | undefined,
    @Body('points', ParseIntPipe) points: number,
  ): Promise<object> {
    return this.run(key, cardId, { type: 'earn', points })
  }

  @Get()
  async show(@Param('cardId') cardId: string): Promise<object> {
    const { version, state } = await this.store.load({ type: cardStream, id: cardId })
    return { cardId, version, points: state.points }
  }

  private async run(key: string | undefined, cardId: string, command: Parameters<typeof onCard>[2]): Promise<object> {
    if (!key) throw new BadRequestException('this call needs an Idempotency-Key')
    const { answer } = await this.store.execute(onCard(`http:${key}`, cardId, command))
    const answered = JSON.parse(answer) as { readonly done?: true; readonly refused?: string }
    // A refusal is an answer: it is kept, and given again.
    if (answered.refused) throw new UnprocessableEntityException(answered.refused)
    return answered
  }
}

/** `imports: [CardsModule.on({ url, schema: 'cards', applicationName: 'cards', maxConnections: 8 })]`, and `app.enableShutdownHooks()`. */
@Module({ controllers: [CardsController] })
export class CardsModule implements OnApplicationShutdown {
  constructor(@Inject(EVENT_STORE) private readonly store: EventStore) {}

  /** The store is opened before the app listens, and finishes what is under way after the last request. */
  static on(postgres: PostgresConfig): DynamicModule {
    return { module: CardsModule, providers: [{ provide: EVENT_STORE, useFactory: () => openCards(postgres) }] }
  }

  onApplicationShutdown(): Promise<void> {
    return this.store.close()
  }
}
