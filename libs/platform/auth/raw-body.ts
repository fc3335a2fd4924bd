import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { rawBodyOf } from '../app/json-body.js'

/** `@RawBody() body: Buffer`: the bytes as they came, empty without a body. The route has `@KeepRawBody()`. */
export const RawBody = createParamDecorator(
  (_: unknown, context: ExecutionContext): Buffer => rawBodyOf(context.switchToHttp().getRequest<FastifyRequest>()) ?? Buffer.alloc(0),
)
