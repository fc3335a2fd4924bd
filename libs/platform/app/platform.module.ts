import { systemClock, type Clock } from '#kernel'
import { Global, Module, type DynamicModule, type Type } from '@nestjs/common'
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core'
import type { Logger } from 'pino'
import { AccessGuard } from '../auth/access-guard.js'
import { DtoPipe } from '../dto/dto-pipe.js'
import { ProblemFilter } from '../errors/problem-filter.js'
import { Metrics } from '../observability/metrics.js'
import { Readiness, showHealth } from './health.js'
import { OpenApi } from './openapi.js'
import { HealthController, MetricsController, OpenApiController } from './operations.controller.js'
import type { AppOptions } from './options.js'

/** Inject the app's pino logger: `@Inject(APP_LOG) log: Logger`. */
export const APP_LOG = Symbol('app log')

/** What every app has beside its own module; `Readiness`, `Metrics` and `APP_LOG` can be injected anywhere. */
@Global()
@Module({})
export class PlatformModule {
  static async around(module: Type | DynamicModule, options: AppOptions, log: Logger): Promise<DynamicModule> {
    // A CommonJS module that requires Nest's ESM: it loads once Nest itself is loaded.
    const { PrometheusModule } = await import('@willsoto/nestjs-prometheus')
    const clock: Clock = options.clock ?? systemClock
    const [readiness, metrics] = [new Readiness(clock), new Metrics(options.name)]
    showHealth(metrics, readiness)
    const shared = [
      { provide: Readiness, useValue: readiness },
      { provide: Metrics, useValue: metrics },
      { provide: OpenApi, useValue: new OpenApi(options.name, options.description ?? '') },
      { provide: APP_LOG, useValue: log },
    ]
    return {
      module: PlatformModule,
      imports: [module, PrometheusModule.register({ controller: MetricsController, defaultMetrics: { enabled: false } })],
      controllers: [HealthController, OpenApiController],
      providers: [
        ...shared,
        { provide: APP_GUARD, useClass: AccessGuard },
        { provide: APP_PIPE, useClass: DtoPipe },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
      exports: shared.map(({ provide }) => provide),
    }
  }
}
