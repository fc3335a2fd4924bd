import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { Controller, Module, type INestMicroservice } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { MessagePattern, RpcException } from '@nestjs/microservices'
import { firstValueFrom, from, lastValueFrom, toArray, type Observable } from 'rxjs'
import { eventually, memoryTransactions } from '#kernel/testing'
import { LogClient, LogServer } from '#messaging/nest'
import type { LogDriver } from '../log.js'
import type { LogUnderTest } from './log-conformance.js'
import { MemoryConsumerStore } from './memory-consumer-store.js'

const REQUESTS_AT_ONCE = 50

const greetersOf = (topic: string, answeredBy: string): new () => object => {
  @Controller()
  class Greeter {
    @MessagePattern(topic)
    greet({ name, times = 1 }: { readonly name: string; readonly times?: number }): Observable<string> {
      if (name === 'nobody') throw new RpcException({ code: 'nobody-there' })
      return from(Array.from({ length: times }, (_, n) => `${answeredBy} greets ${name} ${n + 1}`))
    }
  }
  @Module({ controllers: [Greeter] })
  class GreeterModule {}
  return GreeterModule
}

/** What `@MessagePattern` and `LogClient.send` promise on every log. */
export const requestConformance = (name: string, start: () => Promise<LogUnderTest>, timeout_ms = 30_000): void => {
  describe(`requests: ${name}`, () => {
    let log: LogUnderTest
    let topics = 0
    const servers: INestMicroservice[] = []
    const clients: LogClient[] = []
    const drivers: LogDriver[] = []

    const driver = async (): Promise<LogDriver> => {
      const next = await log.driver()
      drivers.push(next)
      return next
    }
    const topic = async (): Promise<string> => {
      const fresh = `greet-${Date.now().toString(36)}-${++topics}`
      await (await driver()).ensureTopics([{ name: fresh, partitions: 3, retention_ms: 86_400_000 }])
      return fresh
    }
    const consumerStore = new MemoryConsumerStore()
    const serve = async (t: string, answeredBy: string): Promise<INestMicroservice> => {
      const strategy = new LogServer({ driver: await driver(), group: `${t}-servers`, transactions: memoryTransactions(), consumerStore })
      const app = await NestFactory.createMicroservice(greetersOf(t, answeredBy), { strategy, logger: false })
      servers.push(app)
      await app.listen()
      return app
    }
    const client = async (t: string): Promise<LogClient> => {
      const next = new LogClient({ driver: await driver(), source: 'guests', replyTopic: `${t}.replies`, timeout_ms })
      clients.push(next)
      return next
    }

    beforeAll(async () => {
      log = await start()
    }, 120_000)
    afterEach(async () => {
      await Promise.all([...clients.splice(0), ...servers.splice(0)].map((each) => each.close()))
      await Promise.all(drivers.splice(0).map((each) => each.close()))
    }, 60_000)
    afterAll(async () => log.stop(), 60_000)

    it(
      'gives every answer to whom asked, many at once, of clients that share a topic of replies',
      async () => {
        const t = await topic()
        await serve(t, 'one')
        // Two replicas of one app.
        const asking = await Promise.all([client(t), client(t)])
        const names = asking.map((_, of) => Array.from({ length: REQUESTS_AT_ONCE }, (_, n) => `${of}-${n}`))
        const answers = await Promise.all(
          asking.map((each, of) => Promise.all((names[of] ?? []).map((name) => firstValueFrom(each.send<string>(t, { name }))))),
        )
        expect(answers).toEqual(names.map((of) => of.map((each) => `one greets ${each} 1`)))
      },
      timeout_ms,
    )

    it(
      'answers with every value in order, and with what failed',
      async () => {
        const t = await topic()
        await serve(t, 'one')
        const asking = await client(t)
        const answers = await lastValueFrom(asking.send<string>(t, { name: 'Asha', times: 5 }).pipe(toArray()))
        expect(answers).toEqual([1, 2, 3, 4, 5].map((n) => `one greets Asha ${n}`))
        await expect(firstValueFrom(asking.send(t, { name: 'nobody' }))).rejects.toEqual({ code: 'nobody-there' })
      },
      timeout_ms,
    )

    it(
      'answers what was asked while no server ran, once one comes',
      async () => {
        const t = await topic()
        const asking = await client(t)
        await (await serve(t, 'first')).close()
        const early = firstValueFrom(asking.send<string>(t, { name: 'Ravi' }))
        const look = await driver()
        await eventually('it is in the log', async () => (await look.offsets(t)).some(({ next }) => next > 0n))
        await serve(t, 'second')
        expect(await early).toBe('second greets Ravi 1')
      },
      timeout_ms,
    )
  })
}
