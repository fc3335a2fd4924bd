// `npm run start:wallet`: one app alone, its configuration from the environment.
import { become, prepare, sayAndExit } from './prepare.mjs'

try {
  await prepare()
  const [app, ...rest] = process.argv.slice(2)
  become(['--enable-source-maps', '--disable-warning=ExperimentalWarning', `dist/apps/${app}/main.js`, ...rest])
} catch (error) {
  sayAndExit(error)
}
