import type { INestApplication } from '@nestjs/common'
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger'
import type { RouteFacts } from '../auth/route-access.js'
import { closeBodies, describeOperation, PROBLEM_SCHEMA } from './openapi-operations.js'

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const

/** The app's OpenAPI document, made when first asked for: what the DTOs say, and what the conventions add to every operation. */
export class OpenApi {
  #source: { readonly app: INestApplication; readonly routes: ReadonlyMap<string, RouteFacts> } | undefined
  #document: OpenAPIObject | undefined

  constructor(
    private readonly name: string,
    private readonly description: string,
  ) {}

  of(app: INestApplication, routes: ReadonlyMap<string, RouteFacts>): void {
    this.#source = { app, routes }
  }

  document(): OpenAPIObject {
    return (this.#document ??= this.#make())
  }

  #make(): OpenAPIObject {
    if (!this.#source) throw new Error('OpenApi.of(app) was not called')
    const { app, routes } = this.#source
    const info = new DocumentBuilder()
      .setTitle(`Bahi: ${this.name}`)
      .setDescription(this.description)
      .setVersion('1')
      .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
      .build()
    const document = SwaggerModule.createDocument(app, info, { operationIdFactory: (controller, method) => `${controller}_${method}` })
    for (const path of Object.values(document.paths)) {
      for (const method of METHODS) {
        const operation = path[method]
        const facts = operation?.operationId === undefined ? undefined : routes.get(operation.operationId)
        if (operation && facts) describeOperation(operation, facts)
      }
    }
    document.components = { ...document.components, schemas: { ...document.components?.schemas, Problem: PROBLEM_SCHEMA } }
    closeBodies(document)
    return document
  }
}

/** For merging the documents of several apps into one. */
export const openApiDocument = (app: INestApplication): OpenAPIObject => app.get(OpenApi).document()
