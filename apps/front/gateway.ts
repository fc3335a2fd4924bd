import { ROUTES, type Route } from './routing-table.js'

const GENERATED = '# Made from apps/front/routing-table.ts by `npm run docs`; a test compares.'

/** What answers all that the table gives to nobody: documents, health and metrics of the whole, 404 and 405. */
export const FRONT_APP = 'front'
const PORT = 3000

/**
 * nginx's `map` from a call to the upstream that answers it. Of the address as it was sent (`$request_uri`): nginx would decode `%2f` first,
 * and a path must mean to the gateway what it means to the app.
 */
export const gatewayRoutes = (routes: readonly Route[] = ROUTES): string => {
  const sorted = literalFirst(routes)
  const lines = sorted.flatMap(({ method, path, app }, at) => {
    const methods = method === 'GET' ? '(GET|HEAD)' : method
    const pattern = path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/?]+')
    const line = `  "~^${methods} ${pattern}(\\?|$)" ${app};`
    // Another method of a path that is written out is 405, and no call of a template beside it.
    const last = !path.includes('{') && sorted[at + 1]?.path !== path
    return last ? [line, `  "~^[A-Z]+ ${pattern}(\\?|$)" ${FRONT_APP};`] : [line]
  })
  return `${GENERATED}\nmap "$request_method $request_uri" $app {\n  default ${FRONT_APP};\n${lines.join('\n')}\n}\n`
}

/** A fixed word goes before a name in its place, as in the router of one process: nginx takes the first that matches. */
const literalFirst = (routes: readonly Route[]): readonly Route[] => {
  const rank = ({ path }: Route): string => path.replace(/\{\w+\}/g, '\uffff')
  return routes.toSorted((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0))
}

/**
 * Every address that a name has is a replica, looked up anew each second: replicas come and go. A replica that refuses a connection is not
 * asked for a second, the next one is.
 */
export const gatewayUpstreams = (routes: readonly Route[] = ROUTES): string => {
  const apps = [...new Set(routes.map(({ app }) => app)), FRONT_APP]
  const blocks = apps.map(
    (app) => `upstream ${app} {
  zone ${app} 128k;
  server ${app}\${DNS_SUFFIX}:${PORT} resolve max_fails=1 fail_timeout=1s;
  keepalive 128;
  keepalive_timeout 30s;
}
`,
  )
  return `${GENERATED}\nresolver \${DNS_SERVER} valid=1s ipv6=off;\n\n${blocks.join('\n')}`
}
