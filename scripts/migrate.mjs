// `npm run migrate -- --app wallet`: brings one app's database to today's shape; its DATABASE_URL (and LOG) from the environment.
import { parseArgs } from 'node:util'
import { become, prepare, Refused, sayAndExit } from './prepare.mjs'

const APPS = ['order-command', 'order-query', 'wallet', 'payment-saga', 'fraud', 'provider-sandbox']
const USAGE = `npm run migrate -- --app <${APPS.join(' | ')}>`

const appOf = () => {
  const { values } = parseArgs({ options: { app: { type: 'string' }, help: { type: 'boolean' } } })
  if (values.help) {
    console.log(`${USAGE}\n\nBrings the app's database (DATABASE_URL) to the shape that this version needs.`)
    process.exit(0)
  }
  if (!APPS.includes(values.app)) throw new Refused(`which app? ${USAGE}`)
  return values.app
}

try {
  const app = appOf()
  await prepare()
  become(['--enable-source-maps', `dist/apps/${app}/main.js`, 'migrate'])
} catch (error) {
  sayAndExit(error?.code?.startsWith('ERR_PARSE_ARGS') ? new Refused(`${error.message}\n${USAGE}`) : error)
}
