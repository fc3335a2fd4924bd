import { type DynamicModule, Inject, Injectable, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common'
import { systemClock, systemIds, systemRandom } from '#kernel'
import { createPool } from '#postgres'
import type pg from 'pg'
import { Books } from './books.js'
import { HealthController } from './http/health.controller.js'
import { PageController } from './http/page.controller.js'
import { PaymentsController } from './http/payments.controller.js'
import { SettlementsController } from './http/settlements.controller.js'
import type { ProviderSandboxConfig } from './sandbox.config.js'
import { CLOCK, POOL, SETTINGS, type SandboxSettings } from './settings.js'
import { Settlements } from './settlements.js'
import { Webhooks } from './webhooks.js'
import { SandboxWorker } from './worker.js'

const MOST_CONNECTIONS = 8

/** Starts the worker with the app, and stops it before the connections go. */
@Injectable()
class SandboxLife implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(SandboxWorker) private readonly worker: SandboxWorker,
    @Inject(POOL) private readonly pool: pg.Pool,
  ) {}

  onApplicationBootstrap(): void {
    this.worker.start()
  }

  async onApplicationShutdown(): Promise<void> {
    await this.worker.stop()
    await this.pool.end()
  }
}

@Module({})
export class ProviderSandboxModule {
  static with(config: ProviderSandboxConfig): DynamicModule {
    const settings = settingsOf(config)
    const pool = createPool({
      url: config.DATABASE_URL,
      schema: config.DATABASE_SCHEMA,
      applicationName: 'provider-sandbox',
      maxConnections: MOST_CONNECTIONS,
    })
    const settlements = new Settlements(pool, systemClock, systemIds)
    const books = new Books(pool, systemClock, systemIds, settings.books, settlements)
    const webhooks = new Webhooks(pool, systemClock, systemRandom, settings.webhooks)
    return {
      module: ProviderSandboxModule,
      controllers: [PaymentsController, SettlementsController, PageController, HealthController],
      providers: [
        { provide: POOL, useValue: pool },
        { provide: CLOCK, useValue: systemClock },
        { provide: SETTINGS, useValue: settings },
        { provide: Books, useValue: books },
        { provide: Settlements, useValue: settlements },
        { provide: SandboxWorker, useValue: new SandboxWorker(books, webhooks, systemClock) },
        SandboxLife,
      ],
    }
  }
}

/** As a path: empty, or with one slash before it and none behind. */
export const prefixOf = ({ PATH_PREFIX }: Pick<ProviderSandboxConfig, 'PATH_PREFIX'>): string =>
  PATH_PREFIX === '' ? '' : `/${PATH_PREFIX.replace(/^\/|\/$/g, '')}`

const settingsOf = (config: ProviderSandboxConfig): SandboxSettings => ({
  books: {
    seed: config.SANDBOX_SEED,
    upiWindow_seconds: config.UPI_WINDOW_SECONDS,
    duplicateRate: config.WEBHOOK_DUPLICATE_RATE,
    outOfOrderRate: config.WEBHOOK_OUT_OF_ORDER_RATE,
    lostWebhookDelay_seconds: config.LOST_WEBHOOK_DELAY_SECONDS,
  },
  webhooks: { url: config.WEBHOOK_URL, secret: config.PROVIDER_WEBHOOK_SECRET },
  hang_ms: config.HANG_MS,
  publicUrl: `${config.PUBLIC_URL}${prefixOf(config)}`,
})
