import { FastifyAdapter } from '@nestjs/platform-fastify'
import type { FastifyReply } from 'fastify'
import { RecordedAnswer } from '../commands/http-commands.js'

/** Nest's adapter, but for two things: a recorded answer is written as it stands, and errors reach the filter as they are. */
export class PlatformAdapter extends FastifyAdapter {
  override reply(response: FastifyReply, body: unknown, statusCode?: number): ReturnType<FastifyAdapter['reply']> {
    if (!(body instanceof RecordedAnswer)) return super.reply(response, body, statusCode)
    void response.headers(body.headers)
    if (body.replayed) void response.header('idempotency-replayed', 'true')
    return super.reply(response, Buffer.from(JSON.stringify(body.body)), body.status)
  }

  override mapException(error: unknown): unknown {
    return error
  }
}
