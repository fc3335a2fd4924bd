import { Module, type DynamicModule } from '@nestjs/common'
import { Lifecycle } from './lifecycle.js'

/** Puts the app's life around its own module. */
@Module({})
export class ServiceModule {
  static around(app: DynamicModule, lifecycle: Lifecycle): DynamicModule {
    return { module: ServiceModule, imports: [app], providers: [{ provide: Lifecycle, useValue: lifecycle }] }
  }
}
