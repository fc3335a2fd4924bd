import { named, type KubeObject } from './objects.js'

interface WayIn {
  readonly of: string
  /** How a path is matched, and the path: `Prefix /v1`. */
  readonly path: string
  readonly service: string
  readonly port: string | number | undefined
}

/** What is open from outside, by an Ingress or by an HTTPRoute. */
export const waysIn = (objects: readonly KubeObject[]): readonly WayIn[] => [
  ...named(objects, 'Ingress').flatMap(({ metadata, spec }) =>
    (spec?.rules ?? []).flatMap(({ http }) =>
      (http?.paths ?? []).map(({ path, pathType, backend: { service } }) => ({
        of: `Ingress ${metadata.name}`,
        path: `${pathType} ${path}`,
        service: service.name,
        port: service.port.name ?? service.port.number,
      })),
    ),
  ),
  ...named(objects, 'HTTPRoute').flatMap(({ metadata, spec }) =>
    (spec?.rules ?? []).flatMap(({ matches = [], backendRefs = [] }) =>
      matches.flatMap(({ path }) =>
        backendRefs.map(({ name, port }) => ({
          of: `HTTPRoute ${metadata.name}`,
          path: `${path.type.replace(/^Path/, '')} ${path.value}`,
          service: name,
          port,
        })),
      ),
    ),
  ),
]

/** A schema takes any name: a route to what is not there answers 503 to everybody. */
export const routesLeadToServices = (objects: readonly KubeObject[]): readonly string[] =>
  waysIn(objects).flatMap(({ of, path, service, port }) =>
    named(objects, 'Service').some(
      ({ metadata, spec }) => metadata.name === service && spec?.ports?.some((each) => each.name === port || each.port === port),
    )
      ? []
      : [`${of} sends ${path} to ${service}:${port}, which is no Service's`],
  )
