import { Controller, Get, Header, Headers, Inject, Query, Res } from '@nestjs/common'
import {
  type ApiResponseNoStatusOptions,
  ApiExcludeController,
  ApiExcludeEndpoint,
  ApiOkResponse,
  ApiQuery,
  ApiTags,
} from '@nestjs/swagger'
import type { FastifyReply } from 'fastify'
import { Public } from '../auth/access.js'
import { Metrics } from '../observability/metrics.js'
import { Readiness, type Health } from './health.js'
import { OpenApi } from './openapi.js'

const HEALTH: ApiResponseNoStatusOptions = {
  schema: {
    type: 'object',
    required: ['status', 'checks'],
    properties: {
      status: { type: 'string', enum: ['ok', 'unavailable'] },
      checks: { type: 'object', additionalProperties: { type: 'string', enum: ['ok', 'failing', 'timed-out'] } },
    },
  },
}

@Controller('health')
@ApiTags('operations')
@Public({ rateLimited: false })
export class HealthController {
  constructor(@Inject(Readiness) private readonly readiness: Readiness) {}

  /** Whether the process answers. It looks at nothing else: restarting this app does not mend its database. */
  @Get('live')
  @Header('cache-control', 'no-store')
  @ApiOkResponse(HEALTH)
  live(): Health {
    return { status: 'ok', checks: {} }
  }

  /** Whether all works that it needs; with `?of=requests` whether what requests need does, for whoever decides where to send them. */
  @Get('ready')
  @Header('cache-control', 'no-store')
  @ApiQuery({ name: 'of', required: false, enum: ['requests'] })
  @ApiOkResponse(HEALTH)
  async ready(@Res({ passthrough: true }) reply: FastifyReply, @Query('of') of?: unknown): Promise<Health> {
    const health = await this.readiness.look(of === 'requests' ? of : undefined)
    void reply.code(health.status === 'ok' ? 200 : 503)
    return health
  }
}

/** Given to @willsoto/nestjs-prometheus in place of its own, which reads the process-wide registry. */
@Controller('metrics')
@ApiTags('operations')
@Public({ rateLimited: false })
export class MetricsController {
  constructor(@Inject(Metrics) private readonly metrics: Metrics) {}

  @Get()
  @ApiOkResponse({ content: { 'text/plain': { schema: { type: 'string' } } } })
  async read(@Headers('accept') accept: string | undefined, @Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const { contentType, text } = await this.metrics.exposition(accept)
    void reply.header('content-type', contentType)
    return text
  }
}

@Controller()
@ApiExcludeController()
@Public({ rateLimited: false })
export class OpenApiController {
  constructor(@Inject(OpenApi) private readonly openApi: OpenApi) {}

  @Get('openapi.json')
  @ApiExcludeEndpoint()
  read(): object {
    return this.openApi.document()
  }
}
