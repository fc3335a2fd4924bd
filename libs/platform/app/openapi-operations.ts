import type { OpenAPIObject } from '@nestjs/swagger'
import type { RouteFacts } from '../auth/route-access.js'
import { LONGEST_TOKEN } from '../commands/consistency-token.js'
import { PATTERNS, pathForm } from '../dto/formats.js'

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>
type Schema = Schemas[string]
type Path = OpenAPIObject['paths'][string]
export type Operation = NonNullable<Path['get']>
type Parameter = NonNullable<Operation['parameters']>[number]

const text = { type: 'string' } as const

export const PROBLEM_SCHEMA: Schema = {
  type: 'object',
  description: 'RFC 9457.',
  required: ['type', 'title', 'status', 'detail', 'instance', 'traceId'],
  properties: {
    type: { type: 'string', pattern: '^/problems/[a-z0-9-]+$' },
    title: text,
    status: { type: 'integer' },
    detail: text,
    instance: text,
    traceId: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    errors: {
      type: 'array',
      items: { type: 'object', required: ['pointer', 'detail'], properties: { pointer: text, detail: text } },
    },
  },
}

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: 'Malformed JSON, a wrong field, or a wrong header.',
  401: 'No token, or one that is not valid here.',
  403: 'The roles of the token do not allow it.',
  404: 'There is no such resource, or it is not yours.',
  409: 'The state of the resource does not allow it, or the first call with this key still runs.',
  412: 'The resource has moved on from the version in If-Match.',
  413: 'The body is larger than 256 KiB.',
  415: 'The body is not application/json.',
  422: 'A business rule forbids it, or the key was used with another body.',
  429: 'Too many calls.',
  431: 'The request line and headers are larger than 16 KiB.',
  500: 'A fault of the service.',
  503: 'The service cannot do it now.',
}

/** Adds what the conventions give every operation: security, headers, problems (also to those a handler declares), and the form of its ids. */
export const describeOperation = (operation: Operation, facts: RouteFacts): void => {
  const { access } = facts
  if (!access.public) {
    operation.security = [{ bearer: [] }]
    operation.description = [operation.description, `Roles: ${access.roles.join(', ')}.`].filter(Boolean).join(' ')
  }
  operation.parameters = [...(operation.parameters ?? []).map((parameter) => withPathForm(parameter, facts)), ...headersOf(facts)]
  for (const status of statusesOf(operation, facts)) {
    operation.responses[status] ??= { description: '' }
  }
  for (const [status, response] of Object.entries(operation.responses)) {
    if (Number(status) < 400 || response === undefined || '$ref' in response) continue
    response.description ||= DESCRIPTIONS[Number(status)] ?? 'An error.'
    response.content ??= { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
    if (['429', '503'].includes(status)) response.headers ??= { 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds.' } }
  }
  if (facts.command) describeAccepted(operation)
}

const statusesOf = (operation: Operation, facts: RouteFacts): readonly number[] => {
  const inPath = (operation.parameters ?? []).some((parameter) => 'in' in parameter && parameter.in === 'path')
  const input = operation.requestBody !== undefined || (operation.parameters ?? []).length > 0
  const mayBeInvalid = input || facts.access.rateLimited
  return [
    ...(mayBeInvalid ? [400] : []),
    ...(facts.access.public ? [] : [401, 403]),
    ...(inPath ? [404] : []),
    ...(operation.requestBody ? [413, 415] : []),
    ...(facts.command ? [409, 412, 422] : []),
    ...(facts.access.rateLimited ? [429] : []),
    ...(input ? [431] : []),
    500,
    503,
  ]
}

const headersOf = ({ command, keyRequired, readsToken }: RouteFacts): readonly Parameter[] => [
  ...(command
    ? [
        header('Idempotency-Key', keyRequired, { type: 'string', pattern: PATTERNS.visibleAscii, minLength: 1, maxLength: 255 }),
        header('If-Match', false, { type: 'string', pattern: '^(\\*|"(0|[1-9][0-9]{0,14})")$' }),
      ]
    : []),
  ...(readsToken ? [header('Consistency-Token', false, { type: 'string', maxLength: LONGEST_TOKEN })] : []),
]

const header = (name: string, required: boolean, schema: Schema): Parameter => ({ name, in: 'header', required, schema })

const withPathForm = (parameter: Parameter, { clientIds }: RouteFacts): Parameter =>
  'in' in parameter && parameter.in === 'path' ? { ...parameter, schema: pathForm(parameter.name, clientIds).schema } : parameter

const describeAccepted = (operation: Operation): void => {
  for (const [status, response] of Object.entries(operation.responses)) {
    if (!status.startsWith('2') || response === undefined || '$ref' in response) continue
    response.headers = {
      ...response.headers,
      'Consistency-Token': { schema: text },
      ETag: { schema: text },
      'Idempotency-Replayed': { schema: { type: 'string', enum: ['true'] } },
      ...(status === '201' && { Location: { schema: text } }),
    }
  }
}

/** Unknown fields in a body are 400, so its schemas allow none; those of answers stay open, for additions are no breaking change. */
export const closeBodies = (document: OpenAPIObject): void => {
  const schemas: Schemas = document.components?.schemas ?? {}
  const reached = new Set<string>()
  const reach = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [name, value] of Object.entries(node)) {
      const schema = name === '$ref' && typeof value === 'string' ? value.replace('#/components/schemas/', '') : undefined
      if (schema === undefined) reach(value)
      else if (!reached.has(schema)) {
        reached.add(schema)
        reach(schemas[schema])
      }
    }
  }
  for (const path of Object.values(document.paths)) for (const operation of [path.post, path.put, path.patch]) reach(operation?.requestBody)
  for (const name of reached) {
    const schema = schemas[name]
    if (schema && !('$ref' in schema) && schema.type === 'object') schema.additionalProperties ??= false
  }
}
