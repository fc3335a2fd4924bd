// `npm start`: packages, build, then the whole platform in one process. `npm start -- --help` says more.
import { become, prepare, sayAndExit } from './prepare.mjs'

try {
  await prepare()
  become(['--enable-source-maps', '--disable-warning=ExperimentalWarning', 'dist/apps/bahi/main.js', ...process.argv.slice(2)])
} catch (error) {
  sayAndExit(error)
}
