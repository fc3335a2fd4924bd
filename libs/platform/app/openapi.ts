import type { INestApplication } from '@nestjs/common'
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger'

/** The app's OpenAPI document, made when first asked for. */
export class OpenApi {
  #app: INestApplication | undefined
  #document: OpenAPIObject | undefined

  constructor(
    private readonly name: string,
    private readonly description: string,
  ) {}

  of(app: INestApplication): void {
    this.#app = app
  }

  document(): OpenAPIObject {
    if (!this.#app) throw new Error('OpenApi.of(app) was not called')
    const info = new DocumentBuilder()
      .setTitle(`Bahi: ${this.name}`)
      .setDescription(this.description)
      .setVersion('1')
      .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' })
      .build()
    this.#document ??= SwaggerModule.createDocument(this.#app, info)
    return this.#document
  }
}

/** For merging the documents of several apps into one. */
export const openApiDocument = (app: INestApplication): OpenAPIObject => app.get(OpenApi).document()
