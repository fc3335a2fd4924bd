import { Module, type DynamicModule } from '@nestjs/common'
import { Life } from './life.js'

/** Puts the app's life around its own module. */
@Module({})
export class ServiceModule {
  static around(app: DynamicModule, life: Life): DynamicModule {
    return { module: ServiceModule, imports: [app], providers: [{ provide: Life, useValue: life }] }
  }
}
