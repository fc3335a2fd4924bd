import { Body, Controller, Get, Inject, Injectable, Module, Param, Post, Query, type DynamicModule } from '@nestjs/common'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { auditStream, type EventStore, type StreamRef, type StreamType } from '#event-store'
import { countingIds } from '#kernel/testing'
import { refuse, systemClock, type Clock, type JsonObject } from '#kernel'
import {
  Caller,
  ConsistencyToken,
  ConsistencyTokenHeader,
  createApp,
  HttpCommand,
  HttpCommands,
  Idempotent,
  IsMoney,
  KeepRawBody,
  ListOf,
  type MoneyDto,
  notFound,
  OwnedBy,
  PageQuery,
  pageOf,
  Public,
  RawBody,
  Roles,
  Sku,
  Text,
  waitUntilConsistent,
  Whole,
  type AppOptions,
  type CallerIdentity,
  type CommandRequest,
  type OwnershipResolver,
} from '../index.js'
import { testTokens, type TestTokens } from '../testing/index.js'
import { gatedStore, type GatedStore } from './gated-store.fixture.js'

/** A jar holds things: the smallest resource that shows every convention. */
interface Jar {
  readonly owner: string
  readonly level: number
}

const jarType: StreamType<Jar> = {
  category: 'jar',
  initialState: { owner: '', level: 0 },
  evolve: (jar, { type, data }) =>
    type === 'JarMade' ? { owner: String(data.owner), level: 0 } : { ...jar, level: jar.level + Number(data.by) },
  snapshotEvery: 0,
}
const jar = (id: string): StreamRef<Jar> => ({ type: jarType, id })

class ItemDto {
  @Sku()
  readonly sku!: string

  @Whole({ min: 1, max: 1000 })
  readonly quantity!: number
}

class MakeJarDto {
  @Text({ max: 40 })
  readonly label!: string

  @IsMoney({ positive: true })
  readonly price!: MoneyDto

  @ListOf(() => ItemDto, { min: 1, max: 100 })
  readonly items!: ItemDto[]

  @Text({ max: 40, optional: true })
  readonly note?: string
}

class FillDto {
  @Whole({ min: 1, max: 10 })
  readonly by!: number
}

@Injectable()
class JarOwners implements OwnershipResolver {
  constructor(@Inject('store') private readonly store: EventStore) {}

  async owns(id: string, caller: CallerIdentity): Promise<boolean> {
    const { version, state } = await this.store.load(jar(id))
    return version > 0 && (caller.isStaff || state.owner === caller.sub)
  }
}

@Controller('v1/jars')
@Roles('customer', 'support')
class JarsController {
  constructor(
    @Inject(HttpCommands) private readonly commands: HttpCommands,
    @Inject('store') private readonly store: EventStore,
    @Inject('clock') private readonly clock: Clock,
    @Inject('ids') private readonly ids: { next(): string },
  ) {}

  @Post()
  @Idempotent('required')
  make(@HttpCommand() request: CommandRequest, @Body() body: MakeJarDto) {
    const id = this.ids.next()
    const target = jar(id)
    return this.commands.execute(request, {
      streams: [target],
      target,
      status: 201,
      decide: () => ({
        appends: [{ stream: target, events: [{ type: 'JarMade', data: { owner: request.caller.sub } }] }],
        body: { jarId: id, label: body.label },
        location: `/v1/jars/${id}`,
      }),
    })
  }

  @Post(':id/fill')
  @OwnedBy(JarOwners)
  fill(@HttpCommand() request: CommandRequest, @Param('id') id: string, @Body() { by }: FillDto) {
    const target = jar(id)
    return this.commands.execute(request, {
      streams: [target],
      target,
      status: 200,
      decide: (states) => {
        const { state, version } = states.of(target)
        if (version === 0) throw notFound('jar')
        if (state.level + by > 10) return refuse('jar-full', 'It does not fit.')
        if (by === 9) return refuse('invalid-transition', 'Not by nine.', 'conflict')
        const data: JsonObject = { by }
        return { appends: [{ stream: target, events: [{ type: 'JarFilled', data }] }], body: { level: state.level + by } }
      },
    })
  }

  @Get()
  list(@Query() { limit, cursor }: PageQuery) {
    return pageOf(
      [1, 2, 3, 4].slice(cursor ? 2 : 0),
      limit,
      (n) => ({ n }),
      (n) => n,
    )
  }

  @Get(':id')
  @OwnedBy(JarOwners)
  async read(@Param('id') id: string, @ConsistencyTokenHeader() token: ConsistencyToken | undefined) {
    const { state, version } = await this.store.load(jar(id))
    if (token) await waitUntilConsistent(async () => (token.streams[`jar-${id}`] ?? 0) <= version, this.clock)
    return state
  }
}

@Controller('v1/odd')
class OddController {
  @Get('open')
  @Public()
  open(@Caller() caller: CallerIdentity) {
    return { sub: caller.sub }
  }

  @Get('merchants')
  @Roles('merchant', 'admin')
  merchants(@Caller() caller: CallerIdentity) {
    return caller
  }

  @Post('merchants')
  @Roles('merchant')
  sell(@Body() body: FillDto) {
    return body
  }

  @Get('broken')
  @Public()
  broken() {
    throw new Error('SELECT secret FROM wallets')
  }

  @Get('down')
  @Public()
  down() {
    throw Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' })
  }

  @Post('webhook')
  @Public()
  @KeepRawBody()
  webhook(@RawBody() body: Buffer) {
    return { bytes: body.toString('utf8') }
  }
}

export interface Demo extends TestTokens {
  readonly app: NestFastifyApplication
  readonly gated: GatedStore
  readonly lines: string[]
}

@Module({})
class DemoModule {}

export const demoConfig: AppOptions['config'] = {
  NODE_ENV: 'test',
  JWKS_URL: 'http://127.0.0.1:1/jwks',
  JWT_ISSUER: '',
  JWT_AUDIENCE: '',
  RATE_LIMIT_PER_SECOND: 1_000_000,
  RATE_LIMIT_BURST: 1_000_000,
  LOG_LEVEL: 'info',
}

export const demoApp = async (
  more: Partial<AppOptions['config']> = {},
  clock?: Clock,
  imports: DynamicModule[] = [],
  keys?: AppOptions['keys'],
  tracing?: AppOptions['tracing'],
): Promise<Demo> => {
  const tokens = await testTokens()
  const lines: string[] = []
  const time = clock ?? systemClock
  const gated = gatedStore([jarType, auditStream], time)
  const { store } = gated
  const ids = countingIds()
  const module: DynamicModule = {
    module: DemoModule,
    imports,
    controllers: [JarsController, OddController],
    providers: [
      JarOwners,
      { provide: 'store', useValue: store },
      { provide: 'clock', useValue: time },
      { provide: 'ids', useValue: ids },
      { provide: HttpCommands, useValue: new HttpCommands(store, time) },
    ],
  }
  const app = await createApp(module, {
    name: 'demo',
    config: { ...demoConfig, ...tokens.config, ...more },
    keys: keys ?? tokens.keys,
    tracing,
    ...(clock && { clock }),
    logTo: { write: (line) => void lines.push(line) },
  })
  await app.init()
  await app.getHttpAdapter().getInstance().ready()
  return { ...tokens, app, gated, lines }
}
