// `npm test`: unit, integration, contract and end-to-end suites, in one run with one summary.
import { become, prepare, sayAndExit } from './prepare.mjs'

try {
  await prepare()
  become(['scripts/jest.mjs', process.argv[2] ?? 'unit,integration,contract,e2e', ...process.argv.slice(3)])
} catch (error) {
  sayAndExit(error)
}
