import type { Commands, Events, SubjectKeys } from '#event-store'
import type { Clock, Ids, Random } from '#kernel'
import { HttpCommands } from '#platform'
import { Module, type DynamicModule } from '@nestjs/common'
import { CqrsModule } from '@nestjs/cqrs'
import { ChangeOrderHandler } from './commands/change-order.js'
import { MoveStockHandler } from './commands/move-stock.js'
import { PlaceOrderHandler } from './commands/place-order.js'
import { PutProductHandler } from './commands/put-product.js'
import { OrderOwnership, OrdersController, OwnOrders } from './http/orders.controller.js'
import { AnyProduct, ProductsController } from './http/products.controller.js'
import { OrderCommandsConsumer } from './messages/order-commands.consumer.js'
import { StockCommandsConsumer } from './messages/stock-commands.consumer.js'
import { CLOCK, EVENT_STORE, IDS, RULES, SEALING, SUBJECT_KEYS } from './ports.js'
import type { Rules } from './rules.js'

/** What the app stands on. */
export interface OrderCommandParts {
  readonly store: Commands & Events & { readonly incarnation: string }
  readonly subjectKeys: SubjectKeys
  readonly rules: Rules
  readonly clock: Clock
  readonly ids: Ids
  /** For simulations alone; else what is sealed gets the system's entropy. */
  readonly sealing?: Random
  /** The development issuer, where it is mounted. */
  readonly imports?: readonly DynamicModule[]
}

@Module({})
export class OrderCommandModule {
  static with(parts: OrderCommandParts): DynamicModule {
    const { store, subjectKeys, rules, clock, ids, sealing, imports = [] } = parts
    return {
      module: OrderCommandModule,
      imports: [CqrsModule.forRoot(), ...imports],
      controllers: [ProductsController, OrdersController, OrderCommandsConsumer, StockCommandsConsumer],
      providers: [
        { provide: HttpCommands, useValue: new HttpCommands(store, clock) },
        { provide: EVENT_STORE, useValue: store },
        { provide: SUBJECT_KEYS, useValue: subjectKeys },
        { provide: RULES, useValue: rules },
        { provide: CLOCK, useValue: clock },
        { provide: IDS, useValue: ids },
        { provide: SEALING, useValue: sealing },
        OrderOwnership,
        OwnOrders,
        AnyProduct,
        PutProductHandler,
        MoveStockHandler,
        PlaceOrderHandler,
        ChangeOrderHandler,
      ],
    }
  }
}
