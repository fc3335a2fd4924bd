import { Problem } from '../errors/problem.js'

/** Which methods a path has, so that a wrong one is 405 with `Allow` (RFC 9110, 15.5.6) and not 404. */
export class RouteTable {
  readonly #routes: { readonly segments: readonly string[]; readonly methods: Set<string> }[] = []

  add(method: string | readonly string[], template: string): void {
    const segments = template.split('/')
    const known = this.#routes.find((route) => route.segments.join('/') === template)
    const methods = known?.methods ?? new Set<string>()
    for (const each of [method].flat()) methods.add(each)
    if (!known) this.#routes.push({ segments, methods })
  }

  /** Throws when the path is there under other methods. */
  refuseMethod(url: string): void {
    const path = (url.split('?', 1)[0] ?? '').split('/')
    const methods = this.#routes.filter(({ segments }) => matches(segments, path)).flatMap((route) => [...route.methods])
    if (methods.length === 0) return
    const allow = [...new Set(methods)].sort().join(', ')
    throw new Problem(405, 'method-not-allowed', `This path has ${allow}.`, { headers: { allow } })
  }
}

const matches = (template: readonly string[], path: readonly string[]): boolean =>
  template.length === path.length && template.every((segment, i) => (segment.startsWith(':') ? path[i] !== '' : segment === path[i]))
