/** A database would be reached without that check of its certificate that its URL seems to ask for. No message repeats the URL: there is a password in it. */
export class UncheckedTls extends Error {}

/** As pg reads it, which knows URLs without a host. What Node says of one that is none would repeat it. */
const wordsOf = (url: string): URLSearchParams | undefined => URL.parse(url.replace('@/', '@none/'), 'postgres://none')?.searchParams

/** Why a URL is refused. pg takes other modes for checked or unchecked by version; and one that checks nothing only looks safe. */
export const tlsFault = (url: string): string | undefined => {
  const words = wordsOf(url)
  if (!words) return 'it is not a URL'
  const [mode = 'verify-full', ...others] = words.getAll('sslmode')
  // Of two modes pg takes the last, and `ssl` over either.
  const overruled = others.length > 0 || words.has('ssl') || words.has('uselibpqcompat')
  return ['verify-full', 'disable'].includes(mode) && !overruled
    ? undefined
    : 'sslmode must be verify-full, which checks the certificate, or disable'
}

/**
 * What every connection to PostgreSQL is made with. The URL alone says whether it is by TLS: where it says nothing pg would take PGSSLMODE from the
 * environment, and with `no-verify` there check nothing. Throws `UncheckedTls`.
 */
export const checkedConnection = (
  url: string,
  env: NodeJS.ProcessEnv = process.env,
): { readonly connectionString: string; readonly ssl: false } => {
  const fault = tlsFault(url)
  if (fault) throw new UncheckedTls(`the URL of a database: ${fault}`)
  const words = [...(wordsOf(url) ?? [])].filter(([name]) => name.startsWith('ssl'))
  const isSecure = words.some(([, value]) => value !== 'disable')
  if (words.every(([name]) => name !== 'sslmode') && (env['PGSSLMODE'] ?? 'disable') !== 'disable')
    throw new UncheckedTls('PGSSLMODE is set, and is not heeded: say sslmode=verify-full or sslmode=disable in the URL of the database')
  if (isSecure && env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
    throw new UncheckedTls('NODE_TLS_REJECT_UNAUTHORIZED=0 turns off the check of the certificate that sslmode=verify-full asks for')
  // What the URL says goes before it.
  return { connectionString: url, ssl: false }
}
