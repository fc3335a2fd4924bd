import { afterEach, describe, expect, it } from '@jest/globals'
import {
  Controller,
  ForbiddenException,
  Injectable,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
  type INestMicroservice,
} from '@nestjs/common'
import { Ctx, EventPattern, Payload } from '@nestjs/microservices'
import { Test } from '@nestjs/testing'
import type { IncomingMessage, JsonObject } from '#kernel'
import { asMemory, eventually, memoryTransactions } from '#kernel/testing'
import { encodeMessage, type Effect } from '#messaging'
import { BatchPattern, LogContext, LogServer } from '#messaging/nest'
import { MemoryBroker, MemoryConsumerStore, memoryLog } from '#messaging/testing'

const lines: string[] = []
let forbidden = 0

@Injectable()
class Doorkeeper implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const messages = context.switchToRpc().getData<readonly IncomingMessage[]>()
    if (messages.every(({ data }) => data['text'] !== 'forbidden')) return true
    forbidden++
    throw new ForbiddenException()
  }
}

@Injectable()
class Notebook {
  readonly lines = lines
}

@Controller()
class Reader {
  constructor(private readonly notebook: Notebook) {}

  @UseGuards(Doorkeeper)
  @BatchPattern('batches')
  batch(messages: readonly IncomingMessage[]): Promise<Effect> {
    return Promise.resolve((tx) => {
      asMemory(tx).onCommit(() => this.notebook.lines.push(...messages.map(({ type, data }) => `${type} ${String(data['text'])}`)))
      return Promise.resolve()
    })
  }

  @EventPattern<string>('singles')
  single(@Payload() data: JsonObject, @Ctx() context: LogContext): void {
    if (data['text'] === 'ill') throw new TypeError('ill')
    this.notebook.lines.push(`single ${String(data['text'])} ${context.message.key}`)
  }
}

describe('LogServer', () => {
  let app: INestMicroservice | undefined
  afterEach(async () => {
    await app?.close()
    lines.length = 0
  })

  it('gives batches to @BatchPattern and single messages to @EventPattern, behind guards, and leaves on close', async () => {
    const broker = new MemoryBroker()
    const log = memoryLog(broker)
    await log.ensureTopics(['batches', 'singles'].map((name) => ({ name, partitions: 1, retention_ms: 60_000 })))
    const consumerStore = new MemoryConsumerStore()
    const strategy = new LogServer({
      driver: log,
      group: 'readers',
      transactions: memoryTransactions(),
      consumerStore,
      firstRetry_ms: 1,
      mostRetry_ms: 2,
      maxAttempts: 2,
      deferredPoll_ms: 20,
    })
    const module = await Test.createTestingModule({ controllers: [Reader], providers: [Notebook, Doorkeeper] }).compile()
    app = module.createNestMicroservice({ strategy, logger: false })
    expect(strategy.healthy()).toBe(false)
    await app.listen()
    expect(strategy.healthy()).toBe(true)

    let position = 0n
    const send = async (topic: string, type: string, text: string, key = 'k') => {
      const context = { correlationId: 'c', causationId: 'c' }
      const origin = { incarnation: 'i', position: ++position, ordinal: 0 }
      await (await log.producer()).send([encodeMessage({ topic, key, type, schemaVersion: 1, data: { text }, context }, 'test', 0, origin)])
    }
    await send('batches', 'Known', 'one')
    await send('batches', 'Unknown', 'two')
    await send('batches', 'Known', 'forbidden', 'other')
    await send('batches', 'Known', 'three')
    await send('singles', 'Any', 'ill', 'other')
    await send('singles', 'Any', 'four')
    await eventually('all', () => lines.length === 4)
    expect([...lines].sort()).toEqual(['Known one', 'Known three', 'Unknown two', 'single four k'])
    await eventually('two parked', () => consumerStore.parked().length === 2)
    expect(consumerStore.parked().map(({ failure }) => failure.errorClass)).toContain('ForbiddenException')
    expect(forbidden).toBeGreaterThanOrEqual(2)

    await app.close()
    app = undefined
    await send('batches', 'Known', 'late')
    expect(lines).toHaveLength(4)
    expect(strategy.healthy()).toBe(false)
  })
})
