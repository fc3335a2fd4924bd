import type { OpenAPIObject } from '@nestjs/swagger'
import { ROUTES, type AppName } from './routing-table.js'

type Components = NonNullable<OpenAPIObject['components']>

/**
 * The apps' documents as one. Of each app only what the routing table gives it is taken. Two apps may use one component name for the
 * same thing; for different things it is a mistake, and throws.
 */
export const mergeOpenApi = (documents: ReadonlyMap<AppName, OpenAPIObject>): OpenAPIObject => {
  const [first] = documents.values()
  if (!first) throw new Error('no document to merge')
  const paths: OpenAPIObject['paths'] = {}
  const components: Record<string, Record<string, unknown>> = {}
  for (const [app, document] of documents) {
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        if (!belongs(app, method, path)) continue
        paths[path] = { ...paths[path], [method]: operation as unknown }
      }
    }
    for (const [kind, named] of Object.entries(document.components ?? {}))
      addComponents((components[kind] ??= {}), kind, named as Record<string, unknown>)
  }
  return {
    ...first,
    info: { ...first.info, title: 'Bahi', description: DESCRIPTION },
    paths: sorted(paths),
    components: components as Components,
  }
}

const DESCRIPTION = 'Orders and money by CQRS, event sourcing and sagas. Money is whole paise as a string; times are RFC 3339 in UTC.'

const belongs = (app: AppName, method: string, path: string): boolean =>
  ROUTES.some((route) => route.app === app && route.method.toLowerCase() === method && shape(route.path) === shape(path))

/** Names of segments may differ between the table and an app; their places may not. */
export const shape = (path: string): string => path.replace(/\{\w+\}/g, '{}')

const addComponents = (into: Record<string, unknown>, kind: string, named: Record<string, unknown>): void => {
  for (const [name, value] of Object.entries(named)) {
    const known = into[name]
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(value))
      throw new Error(`two apps mean different things by ${kind}/${name}`)
    into[name] = value
  }
}

const sorted = (paths: OpenAPIObject['paths']): OpenAPIObject['paths'] =>
  Object.fromEntries(Object.entries(paths).sort(([a], [b]) => (a < b ? -1 : 1)))
