import type { OpenAPIObject } from '@nestjs/swagger'
import { ROUTES, type AppName } from './routing-table.js'

type Components = NonNullable<OpenAPIObject['components']>

/**
 * The apps' documents as one. Of each app only what the routing table gives it is taken. Where two apps mean different things by one
 * component's name, the later app's gets the app's name in front.
 */
export const mergeOpenApi = (documents: ReadonlyMap<AppName, OpenAPIObject>): OpenAPIObject => {
  const [first] = documents.values()
  if (!first) throw new Error('no document to merge')
  const paths: OpenAPIObject['paths'] = {}
  const components: Named = {}
  for (const [app, original] of documents) {
    const document = withOwnNames(app, original, components)
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        if (!belongs(app, method, path)) continue
        paths[path] = { ...paths[path], [method]: withOwnId(app, operation as Operation) as unknown }
      }
    }
    for (const [kind, named] of Object.entries((document.components ?? {}) as Named)) Object.assign((components[kind] ??= {}), named)
  }
  for (const [path, operation] of Object.entries(OPERATIONS)) paths[path] = operation
  return {
    ...first,
    info: { ...first.info, title: 'Bahi', description: DESCRIPTION },
    paths: sorted(paths),
    components: onlyReached(paths, components) as Components,
  }
}

const DESCRIPTION = 'Orders and money by CQRS, event sourcing and sagas. Money is whole paise as a string; times are RFC 3339 in UTC.'

type Named = Record<string, Record<string, unknown>>
type Operation = { readonly operationId?: string; readonly [name: string]: unknown }

const HEALTH = {
  description: 'Of the whole and of each app.',
  content: {
    'application/json': {
      schema: {
        type: 'object',
        required: ['status', 'checks'],
        properties: { status: { type: 'string', enum: ['ok', 'unavailable'] }, checks: { type: 'object' } },
      },
    },
  },
}

/** What the front answers itself for all apps together. */
const OPERATIONS: OpenAPIObject['paths'] = {
  '/health/live': {
    get: {
      operationId: 'health_live',
      tags: ['operations'],
      summary: 'Whether the process answers. It looks at no dependency.',
      responses: { 200: HEALTH },
    },
  },
  '/health/ready': {
    get: {
      operationId: 'health_ready',
      tags: ['operations'],
      summary: 'Whether every app and what it needs is there.',
      responses: { 200: HEALTH, 503: HEALTH },
    },
  },
  '/metrics': {
    get: {
      operationId: 'metrics',
      tags: ['operations'],
      summary: 'Prometheus text.',
      responses: { 200: { description: 'Of all apps.', content: { 'text/plain': { schema: { type: 'string' } } } } },
    },
  },
}

const belongs = (app: AppName, method: string, path: string): boolean =>
  ROUTES.some((route) => route.app === app && route.method.toLowerCase() === method && shape(route.path) === shape(path))

/** Names of segments may differ between the table and an app; their places may not. */
export const shape = (path: string): string => path.replace(/\{\w+\}/g, '{}')

/** `OrdersController_list` of two apps are two operations. */
const withOwnId = (app: AppName, operation: Operation): Operation => ({
  ...operation,
  operationId: `${app}_${operation.operationId ?? ''}`,
})

const pascal = (app: AppName): string => app.replace(/(^|-)(\w)/g, (_, __, letter: string) => letter.toUpperCase())

/**
 * The document with those of its components renamed that mean something else than a component of this name that is there already.
 * One that refers to a renamed one means something else too, hence the loop; each turn renames at least one, so it ends.
 */
const withOwnNames = (app: AppName, document: OpenAPIObject, taken: Named): OpenAPIObject => {
  const renamed = new Map<string, string>()
  const rename = (text: string): string =>
    text.replace(/"#\/components\/(\w+)\/([\w.-]+)"/g, (whole, kind: string, name: string) => {
      const to = renamed.get(`${kind}/${name}`)
      return to === undefined ? whole : `"#/components/${kind}/${to}"`
    })
  const components = (document.components ?? {}) as Named
  for (let before = -1; before < renamed.size;) {
    before = renamed.size
    for (const [kind, named] of Object.entries(components)) {
      for (const [name, value] of Object.entries(named)) {
        const known = taken[kind]?.[name]
        if (known === undefined || renamed.has(`${kind}/${name}`) || rename(JSON.stringify(value)) === JSON.stringify(known)) continue
        renamed.set(`${kind}/${name}`, pascal(app) + name)
      }
    }
  }
  if (renamed.size === 0) return document
  const copy = JSON.parse(rename(JSON.stringify(document))) as OpenAPIObject
  const own = Object.entries((copy.components ?? {}) as Named).map(([kind, named]): [string, Record<string, unknown>] => [
    kind,
    Object.fromEntries(Object.entries(named).map(([name, value]) => [renamed.get(`${kind}/${name}`) ?? name, value])),
  ])
  return { ...copy, components: Object.fromEntries(own) as Components }
}

/** Without the schemas of routes that the table gives to nobody. */
const onlyReached = (paths: OpenAPIObject['paths'], components: Named): Named => {
  const schemas = components['schemas'] ?? {}
  const reached = new Set<string>()
  const follow = (node: unknown): void => {
    for (const [, name] of (JSON.stringify(node) ?? '').matchAll(/#\/components\/schemas\/([\w.-]+)/g)) {
      if (name === undefined || reached.has(name)) continue
      reached.add(name)
      follow(schemas[name])
    }
  }
  follow(paths)
  return { ...components, schemas: Object.fromEntries(Object.entries(schemas).filter(([name]) => reached.has(name))) }
}

const sorted = (paths: OpenAPIObject['paths']): OpenAPIObject['paths'] =>
  Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1)))
