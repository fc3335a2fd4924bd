import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import type { OpenAPIObject } from '@nestjs/swagger'
import { AggregatorRegistry } from 'prom-client'
import type Type from 'typebox'
import { Metrics, openApiDocument, parseConfig, Readiness } from '#platform'
import { createFraudApp } from '../fraud/app.js'
import { fraudConfig } from '../fraud/fraud.config.js'
import { migrations as fraudMigrations } from '../fraud/migrations.js'
import { createOrderCommandApp } from '../order-command/app.js'
import { migrations as orderCommandMigrations } from '../order-command/migrations.js'
import { orderCommandConfig } from '../order-command/order-command.config.js'
import { createOrderQueryApp } from '../order-query/app.js'
import { migrations as orderQueryMigrations } from '../order-query/migrations.js'
import { orderQueryConfig } from '../order-query/order-query.config.js'
import { createPaymentSagaApp } from '../payment-saga/app.js'
import { migrations as paymentSagaMigrations } from '../payment-saga/migrations.js'
import { paymentSagaConfig } from '../payment-saga/payment-saga.config.js'
import { createProviderSandboxApp } from '../provider-sandbox/app.js'
import { migrations as sandboxMigrations } from '../provider-sandbox/migrations.js'
import { providerSandboxConfig } from '../provider-sandbox/sandbox.config.js'
import { createWalletApp } from '../wallet/app.js'
import { migrations as walletMigrations } from '../wallet/migrations.js'
import { walletConfig } from '../wallet/wallet.config.js'
import type { AppDatabase } from './databases.js'
import { environmentOf, type Surroundings } from './environment.js'
import { createFront, type AppStatus } from '../front/front.js'
import { mergeOpenApi } from '../front/open-api.js'
import { allowedMethods, createRouter } from '../front/router.js'
import { ROUTES, type AppName } from '../front/routing-table.js'

export const appDatabases: readonly AppDatabase[] = [
  { schema: 'order_command', migrations: orderCommandMigrations, subjectKeys: 'write' },
  { schema: 'order_query', migrations: orderQueryMigrations, subjectKeys: 'read' },
  { schema: 'wallet', migrations: walletMigrations, subjectKeys: 'create' },
  { schema: 'payment_saga', migrations: paymentSagaMigrations, subjectKeys: 'read' },
  { schema: 'fraud', migrations: fraudMigrations },
  { schema: 'provider_sandbox', migrations: sandboxMigrations },
]

export interface RunningApps {
  readonly names: readonly AppName[]
  readonly listener: RequestListener
  /** What each app says of itself. */
  documents(): ReadonlyMap<AppName, OpenAPIObject>
  stop(): Promise<void>
}

/** The five apps and the sandbox in this process, none of which listens. The log is PostgreSQL's. */
export const startApps = async ({ baseUrl, secrets, databaseUrl, env }: Surroundings): Promise<RunningApps> => {
  const configOf = <P extends Type.TProperties>(schema: Type.TObject<P>, database: string) =>
    parseConfig(schema, environmentOf({ baseUrl, secrets, databaseUrl, env }, database))

  const started: NestFastifyApplication[] = []
  const start = async (create: () => Promise<NestFastifyApplication>): Promise<NestFastifyApplication> => {
    const app = await create()
    started.push(app)
    await app.startAllMicroservices()
    await app.init()
    await app.getHttpAdapter().getInstance().ready()
    return app
  }
  const stop = async (): Promise<void> => {
    const failures: unknown[] = []
    for (const app of started.toReversed()) await app.close().catch((error: unknown) => failures.push(error))
    if (failures.length > 0) throw failures[0]
  }

  try {
    const apps: Readonly<Record<AppName, NestFastifyApplication>> = {
      'order-command': await start(() => createOrderCommandApp(configOf(orderCommandConfig, 'order_command'))),
      'order-query': await start(() => createOrderQueryApp(configOf(orderQueryConfig, 'order_query'))),
      wallet: await start(() => createWalletApp(configOf(walletConfig, 'wallet'))),
      'payment-saga': await start(() => createPaymentSagaApp(configOf(paymentSagaConfig, 'payment_saga'))),
      fraud: await start(() => createFraudApp(configOf(fraudConfig, 'fraud'))),
    }
    const sandbox = await start(() => createProviderSandboxApp(configOf(providerSandboxConfig, 'provider_sandbox')))
    const front = await frontOf(apps)
    const listener = createRouter(ROUTES, {
      apps: mapValues(apps, handlerOf),
      front: (request, response) => front.routing(request, response),
      sandbox: handlerOf(sandbox),
    })
    return {
      names: Object.keys(apps) as AppName[],
      listener,
      documents: () => documentsOf(apps),
      stop: () => front.close().then(stop),
    }
  } catch (error) {
    await stop().catch(() => undefined)
    throw error
  }
}

const frontOf = (apps: Readonly<Record<AppName, NestFastifyApplication>>) => {
  const entries = Object.entries(apps) as [AppName, NestFastifyApplication][]
  let document: object | undefined
  return createFront({
    openApi: () => (document ??= mergeOpenApi(documentsOf(apps))),
    readiness: async () =>
      new Map(await Promise.all(entries.map(async ([name, app]): Promise<[string, AppStatus]> => [name, await app.get(Readiness).look()]))),
    allowedMethods,
    metrics: async () => {
      const each = await Promise.all(entries.map(([, app]) => app.get(Metrics).registry.getMetricsAsJSON()))
      return AggregatorRegistry.aggregate(each).metrics()
    },
  })
}

const documentsOf = (apps: Readonly<Record<AppName, NestFastifyApplication>>): ReadonlyMap<AppName, OpenAPIObject> =>
  new Map((Object.entries(apps) as [AppName, NestFastifyApplication][]).map(([name, app]) => [name, openApiDocument(app)]))

const handlerOf = (app: NestFastifyApplication) => (request: IncomingMessage, response: ServerResponse) =>
  app.getHttpAdapter().getInstance().routing(request, response)

const mapValues = <K extends string, A, B>(record: Readonly<Record<K, A>>, map: (value: A) => B): Record<K, B> =>
  Object.fromEntries(Object.entries<A>(record).map(([key, value]) => [key, map(value)])) as Record<K, B>
