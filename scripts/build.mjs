// `npm run build`: packages and dist/, each only if it must.
import { prepare, sayAndExit } from './prepare.mjs'

await prepare().catch(sayAndExit)
