import type { DynamicModule, Type } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify'
import type { AppOptions } from './options.js'

/** An app as every app is made. It does not listen. */
export const createApp = async (module: Type | DynamicModule, _options: AppOptions): Promise<NestFastifyApplication> =>
  NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter())
