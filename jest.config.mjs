import { availableParallelism } from 'node:os'
import { DEFAULT_TIMEOUT_MS } from './test/runner/timeout.mjs'

// One project per suite; a spec's suffix says what it needs: *.unit needs nothing, *.int a PostgreSQL (and Kafka where it says so) or Nest,
// *.e2e a running platform. Jest's own runner loads ESM only with `--experimental-vm-modules`: use `npm test`, or scripts/jest.mjs for one suite.
const suite = (name, match, how) => ({ displayName: name, testMatch: match.map((pattern) => `<rootDir>/${pattern}`), ...how })

const setupFiles = ['<rootDir>/test/runner/same-draws.mjs']
/** Many specs of many modules: a worker keeps what it has loaded. */
const lean = { runner: '<rootDir>/test/runner/index.mjs', transform: {}, setupFiles }
/** Few specs, each a run of its own. */
const isolated = {
  setupFiles,
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '@swc/jest' },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
}
const postgres = {
  globalSetup: '<rootDir>/test/support/postgres.setup.mjs',
  globalTeardown: '<rootDir>/test/support/postgres.teardown.mjs',
}
const platform = {
  globalSetup: '<rootDir>/test/support/platform.setup.mjs',
  globalTeardown: '<rootDir>/test/support/platform.teardown.mjs',
}

export default {
  // One more than there are cores: specs that start processes mostly wait. Not so many that one PostgreSQL and one platform have to serve a crowd.
  maxWorkers: Math.min(4, availableParallelism() + 1),
  testSequencer: '<rootDir>/test/runner/sequencer.mjs',
  testTimeout: DEFAULT_TIMEOUT_MS,
  // Tests that go side by side mostly wait: for a payment's window, a provider, a person.
  maxConcurrency: 32,
  projects: [
    suite('unit', ['{apps,libs,test}/**/*.unit.spec.ts'], {
      ...lean,
      setupFiles: [...setupFiles, '<rootDir>/test/runner/no-framework.mjs'],
    }),
    suite('integration', ['{apps,libs,test}/**/*.int.spec.ts'], { ...lean, ...postgres }),
    suite('contract', ['{apps,libs,test}/**/*.contract.spec.ts'], { ...isolated, ...postgres }),
    suite('e2e', ['test/**/*.e2e.spec.ts'], { ...isolated, ...platform }),
    suite('simulation', ['test/**/*.simulation.spec.ts'], isolated),
    suite('chaos', ['{apps,test}/**/*.chaos.spec.ts'], { ...isolated, ...postgres }),
    suite('manifests', ['test/**/*.manifests.spec.ts'], isolated),
    suite('compose', ['test/**/*.compose.spec.ts'], isolated),
    suite('k8s', ['test/**/*.k8s.spec.ts'], isolated),
  ],
}
