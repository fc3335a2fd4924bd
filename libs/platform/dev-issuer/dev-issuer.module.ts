import { systemClock, type Clock } from '#kernel'
import { Body, Controller, Get, Header, HttpCode, Inject, Module, Post, type DynamicModule } from '@nestjs/common'
import { ApiOkResponse, ApiProperty, ApiTags } from '@nestjs/swagger'
import { Public } from '../auth/access.js'
import { ROLES, type Role } from '../auth/caller.js'
import { refuseDevIssuerInProduction, type BaseConfig } from '../config.js'
import { field, rule, Text } from '../dto/fields.js'
import { DevIssuer, type IssuedToken } from './dev-issuer.js'
import type { IssuerKeyStore } from './keys.js'

const isRoles = (value: unknown): boolean =>
  Array.isArray(value) && value.length <= ROLES.length && value.every((role) => ROLES.some((known) => known === role))

class TokenRequest {
  @Text({ max: 128, pattern: { source: '^[\\x21-\\x7e]+$', rule: 'must be visible ASCII characters' }, example: 'c-1' })
  readonly sub!: string

  @field(
    { example: ['customer'] },
    { type: 'array', items: { type: 'string', enum: [...ROLES] }, maxItems: ROLES.length },
    rule('roles', `must be a list of ${ROLES.join(', ')}`, isRoles),
  )
  readonly roles!: Role[]
}

class TokenAnswer implements IssuedToken {
  @ApiProperty({ type: 'string' })
  readonly accessToken!: string

  @ApiProperty({ type: 'integer', description: 'Seconds.' })
  readonly expiresIn!: number
}

@Controller('v1/dev')
@ApiTags('development')
class DevIssuerController {
  constructor(@Inject(DevIssuer) private readonly issuer: DevIssuer) {}

  @Post('token')
  @Public()
  @HttpCode(200)
  @ApiOkResponse({ type: TokenAnswer })
  @Header('cache-control', 'no-store')
  token(@Body() { sub, roles }: TokenRequest): Promise<TokenAnswer> {
    return this.issuer.issue(sub, roles)
  }

  @Get('jwks')
  @Public({ rateLimited: false })
  @ApiOkResponse({
    description: 'RFC 7517.',
    schema: { type: 'object', required: ['keys'], properties: { keys: { type: 'array', items: { type: 'object' } } } },
  })
  jwks() {
    return this.issuer.jwks()
  }
}

/** `POST /v1/dev/token` and its keys at `GET /v1/dev/jwks`. Empty unless `DEV_ISSUER`; refused in production. */
@Module({})
export class DevIssuerModule {
  static register(
    config: Pick<BaseConfig, 'NODE_ENV' | 'DEV_ISSUER' | 'JWT_ISSUER' | 'JWT_AUDIENCE'>,
    keys: IssuerKeyStore,
    clock: Clock = systemClock,
  ): DynamicModule {
    refuseDevIssuerInProduction(config)
    if (!config.DEV_ISSUER) return { module: DevIssuerModule }
    const issuer = new DevIssuer({ issuer: config.JWT_ISSUER, audience: config.JWT_AUDIENCE, keys, clock })
    return { module: DevIssuerModule, controllers: [DevIssuerController], providers: [{ provide: DevIssuer, useValue: issuer }] }
  }
}
