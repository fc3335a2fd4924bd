import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  Catch,
  Controller,
  Injectable,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type INestMicroservice,
  type NestInterceptor,
  type PipeTransform,
  type RpcExceptionFilter,
} from '@nestjs/common'
import { ClientProxy, Ctx, EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices'
import { Test } from '@nestjs/testing'
import { firstValueFrom, from, interval, lastValueFrom, map, of, take, toArray, type Observable } from 'rxjs'
import type { IncomingMessage, JsonObject } from '#kernel'
import { eventually, memoryTransactions } from '#kernel/testing'
import { DependencyUnavailable, logMigrations, messagingMigrations, pgConsumerStore, postgresLog } from '#messaging'
import { createPool, pgTransactions } from '#postgres'
import { BatchPattern, KeepError, LogClient, LogContext, LogServer } from '#messaging/nest'
import { MemoryBroker, MemoryConsumerStore, memoryLog } from '#messaging/testing'
import { createTestDatabase } from '#postgres/testing'
import { noEffect, type Effect } from '../log.js'
import { requestConformance } from '../testing/request-conformance.js'

const handled: string[] = []
let underWay = 0
let mostUnderWay = 0
let away = 0
let release: () => void = () => undefined
let gate: Promise<void> = Promise.resolve()

@Injectable()
class OnlyNamed implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    return context.switchToRpc().getData<JsonObject>()['name'] !== 'nobody'
  }
}

@Injectable()
class Trimmed implements PipeTransform {
  transform(value: JsonObject | LogContext): JsonObject | LogContext {
    return value instanceof LogContext ? value : { ...value, name: String(value['name']).trim() }
  }
}

@Injectable()
class Politely implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler<string>): Observable<string> {
    return next.handle().pipe(map((text) => `${text}!`))
  }
}

class Refused extends Error {}

/** An event that is refused for good needs no second try. */
@Catch(Refused)
class LetRefusedBe implements RpcExceptionFilter<Refused> {
  catch(): Observable<unknown> {
    return of(noEffect)
  }
}

@Controller()
class Greeter {
  @UseGuards(OnlyNamed)
  @UsePipes(Trimmed)
  @UseInterceptors(Politely)
  @MessagePattern('greet')
  greet(@Payload() { name }: { readonly name: string }, @Ctx() { message }: LogContext): string {
    return `hello ${name} of ${message.source}`
  }

  @MessagePattern('count')
  count({ to }: { readonly to: number }): Observable<number> {
    return from(Array.from({ length: to }, (_, index) => index + 1))
  }

  @MessagePattern('slowly')
  slowly({ every_ms, to }: { readonly every_ms: number; readonly to: number }): Observable<number> {
    return interval(every_ms).pipe(take(to))
  }

  @MessagePattern('fail')
  fail(): never {
    throw new RpcException({ code: 'out-of-stock' })
  }

  @UseFilters(KeepError)
  @MessagePattern('flaky')
  flaky(): string {
    if (away-- > 0) throw new DependencyUnavailable('the database is away')
    return 'back'
  }

  @UseFilters(KeepError)
  @EventPattern('work')
  async work({ name, fails }: { readonly name: string; readonly fails?: string }): Promise<void> {
    mostUnderWay = Math.max(mostUnderWay, ++underWay)
    await gate
    underWay--
    if (fails === 'passing' && away-- > 0) throw new DependencyUnavailable('away')
    if (fails === 'always') throw new TypeError('ill')
    handled.push(name)
  }

  @UseFilters(LetRefusedBe)
  @BatchPattern('refused')
  refused(messages: readonly IncomingMessage[]): Promise<Effect> {
    return Promise.reject(new Refused(`no to ${messages.length}`))
  }
}

describe('LogServer and LogClient', () => {
  let app: INestMicroservice
  let client: ClientProxy
  let broker: MemoryBroker
  let consumerStore: MemoryConsumerStore
  const topics = ['greet', 'count', 'slowly', 'fail', 'flaky', 'work', 'refused']

  beforeEach(async () => {
    handled.length = mostUnderWay = underWay = away = 0
    gate = Promise.resolve()
    broker = new MemoryBroker()
    consumerStore = new MemoryConsumerStore()
    const driver = memoryLog(broker)
    await driver.ensureTopics(topics.map((name) => ({ name, partitions: 1, retention_ms: 60_000 })))
    const strategy = new LogServer({
      driver,
      group: 'greeters',
      transactions: memoryTransactions(),
      consumerStore,
      firstRetry_ms: 1,
      mostRetry_ms: 2,
      maxAttempts: 2,
      deferredPoll_ms: 20,
      concurrency: 3,
    })
    const module = await Test.createTestingModule({ controllers: [Greeter], providers: [OnlyNamed, Trimmed, Politely] }).compile()
    app = module.createNestMicroservice({ strategy, logger: false })
    await app.listen()
    client = new LogClient({ driver: memoryLog(broker), source: 'guests', replyTopic: 'guests.replies', timeout_ms: 10_000 })
  })
  afterEach(async () => {
    release()
    await client.close()
    await app.close()
  })

  it('answers what is sent, through guards, pipes and interceptors', async () => {
    expect(await firstValueFrom(client.send('greet', { name: '  Asha ' }))).toBe('hello Asha of guests!')
    await expect(firstValueFrom(client.send('greet', { name: 'nobody' }))).rejects.toMatchObject({ message: 'Forbidden resource' })
    const answers = await Promise.all(['Ravi', 'Meena'].map((name) => firstValueFrom(client.send<string>('greet', { name }))))
    expect(answers).toEqual(['hello Ravi of guests!', 'hello Meena of guests!'])
  })

  it('answers with every value, with what failed, and only whom it concerns', async () => {
    const other = new LogClient({ driver: memoryLog(broker), source: 'others', replyTopic: 'guests.replies' })
    const [mine, theirs] = [client.send('count', { to: 3 }), other.send('count', { to: 2 })]
    expect(await Promise.all([mine, theirs].map((values) => lastValueFrom(values.pipe(toArray()))))).toEqual([
      [1, 2, 3],
      [1, 2],
    ])
    await other.close()
    await expect(firstValueFrom(client.send('fail', {}))).rejects.toEqual({ code: 'out-of-stock' })
    expect(consumerStore.parked()).toEqual([])
  })

  it('asks again where a dependency is away, and gives up waiting in the end', async () => {
    away = 2
    expect(await firstValueFrom(client.send('flaky', {}))).toBe('back')
    const impatient = new LogClient({ driver: memoryLog(broker), source: 'guests', replyTopic: 'guests.replies', timeout_ms: 5 })
    await expect(firstValueFrom(impatient.send('nobody-listens', {}))).rejects.toThrow()
    await memoryLog(broker).ensureTopics([{ name: 'nobody-listens', partitions: 1, retention_ms: 60_000 }])
    await expect(firstValueFrom(impatient.send('nobody-listens', {}))).rejects.toMatchObject({ name: 'RequestTimeout' })
    await impatient.close()
    const mute = new LogClient({ driver: memoryLog(broker), source: 'guests' })
    await expect(firstValueFrom(mute.send('greet', { name: 'x' }))).rejects.toThrow(/replyTopic/)
    await mute.close()
  })

  it('waits so long for each answer, and not for all of them', async () => {
    const impatient = new LogClient({ driver: memoryLog(broker), source: 'guests', replyTopic: 'guests.replies', timeout_ms: 2_000 })
    const answers = lastValueFrom(impatient.send<number>('slowly', { every_ms: 250, to: 10 }).pipe(toArray()))
    await expect(answers.finally(() => impatient.close())).resolves.toHaveLength(10)
  })

  it('hands events to @EventPattern: in order within a key, several keys at once, and no more than asked for', async () => {
    gate = new Promise((resolve) => (release = resolve))
    await lastValueFrom(client.emit('work', { key: 'first', value: { name: 'first' } }), { defaultValue: undefined })
    await eventually('it is under way', () => underWay === 1)
    for (const key of ['a', 'b', 'c', 'd', 'e'])
      for (const n of [1, 2, 3])
        await lastValueFrom(client.emit('work', { key, value: { name: `${key}${n}` } }), { defaultValue: undefined })
    release()
    await eventually('all', () => handled.length === 16)
    expect(mostUnderWay).toBe(3)
    for (const key of ['a', 'b', 'c', 'd', 'e'])
      expect(handled.filter((name) => name.startsWith(key) && name !== 'first')).toEqual([`${key}1`, `${key}2`, `${key}3`])
  })

  it('handles again only what failed: what passes comes again, what does not is put aside with its key', async () => {
    gate = new Promise((resolve) => (release = resolve))
    const emit = (key: string, value: JsonObject) => lastValueFrom(client.emit('work', { key, value }), { defaultValue: undefined })
    await emit('first', { name: 'first' })
    await eventually('it is under way', () => underWay === 1)
    away = 2
    await emit('a', { name: 'a1' })
    await emit('b', { name: 'b1', fails: 'passing' })
    await emit('c', { name: 'c1', fails: 'always' })
    await emit('c', { name: 'c2' })
    await emit('a', { name: 'a2' })
    release()
    await eventually('all', () => handled.length === 5 && consumerStore.parked().length === 1)
    expect([...handled].sort()).toEqual(['a1', 'a2', 'b1', 'c2', 'first'])
    expect(consumerStore.parked()[0]).toMatchObject({ record: { key: 'c' }, failure: { errorClass: 'TypeError' }, attempts: 2 })
    expect(consumerStore.waiting).toBe(0)
  })

  it('lets a filter of the handler decide that a failure is none', async () => {
    await lastValueFrom(client.emit('refused', { name: 'x' }), { defaultValue: undefined })
    const read = async () => (await consumerStore.progress('greeters', { topic: 'refused', partition: 0 }, 0n)).next === 1n
    await eventually('it is passed over', read)
    expect(consumerStore.parked()).toEqual([])
    expect(consumerStore.waiting).toBe(0)
  })
})

requestConformance('PostgreSQL', async () => {
  const database = await createTestDatabase(logMigrations, 'log')
  return { driver: () => postgresLog({ url: database.url, shared: false, maxConnections: 3 }), stop: () => database.drop() }
})

it('handles each event once on PostgreSQL, over failures that pass, and stores its place with each batch', async () => {
  handled.length = underWay = 0
  away = 2
  gate = Promise.resolve()
  const [log, database] = await Promise.all([createTestDatabase(logMigrations, 'log'), createTestDatabase(messagingMigrations)])
  const pool = createPool(database)
  const driver = postgresLog({ url: log.url, shared: false, maxConnections: 3 })
  await driver.ensureTopics([{ name: 'work', partitions: 1, retention_ms: 60_000 }])
  const strategy = new LogServer({
    driver,
    group: 'workers',
    transactions: pgTransactions(pool),
    consumerStore: pgConsumerStore(pool),
    maxBatch: 2,
    // Nobody else stores it.
    deferredPoll_ms: 3_600_000,
  })
  const module = await Test.createTestingModule({ controllers: [Greeter], providers: [OnlyNamed, Trimmed, Politely] }).compile()
  const app = module.createNestMicroservice({ strategy, logger: false })
  const client = new LogClient({ driver, source: 'guests' })
  try {
    for (const topic of ['greet', 'count', 'slowly', 'fail', 'flaky', 'refused'])
      await driver.ensureTopics([{ name: topic, partitions: 1, retention_ms: 60_000 }])
    const names = ['a1', 'a2', 'a3', 'b1', 'a4', 'a5']
    for (const name of names) {
      const value = { name, ...(name === 'b1' && { fails: 'passing' }) }
      await lastValueFrom(client.emit('work', { key: name[0] ?? '', value }), { defaultValue: undefined })
    }
    await app.listen()
    const stored = async () =>
      (await pool.query<{ next: string }>(`SELECT next FROM consumer_offset WHERE "group" = 'workers' AND topic = 'work'`)).rows[0]?.next
    await eventually('all is stored', async () => Number(await stored()) === names.length)
    expect([...handled].sort()).toEqual([...names].sort())
    expect(handled.filter((name) => name.startsWith('a'))).toEqual(['a1', 'a2', 'a3', 'a4', 'a5'])
  } finally {
    await client.close()
    await app.close()
    await driver.close()
    await pool.end()
    await Promise.all([log.drop(), database.drop()])
  }
})
