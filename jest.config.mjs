import { availableParallelism } from 'node:os'

// One project per suite; a spec's suffix says what it needs: *.unit needs nothing, *.int a PostgreSQL (and Kafka where it says so) or Nest,
// *.e2e a running platform. Jest runs ESM only with `--experimental-vm-modules`: use `npm test`, or scripts/jest.mjs for one suite.
const TYPESCRIPT = { '^(\\.{1,2}/.*)\\.js$': '$1' }
const suite = (name, match, more = {}) => ({
  displayName: name,
  testMatch: match.map((pattern) => `<rootDir>/${pattern}`),
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '@swc/jest' },
  moduleNameMapper: TYPESCRIPT,
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  ...more,
})

const postgres = {
  globalSetup: '<rootDir>/test/support/postgres.setup.mjs',
  globalTeardown: '<rootDir>/test/support/postgres.teardown.mjs',
}
const platform = {
  globalSetup: '<rootDir>/test/support/platform.setup.mjs',
  globalTeardown: '<rootDir>/test/support/platform.teardown.mjs',
}

/** Jest loads modules anew for every spec; with Nest that takes longer than most specs run. */
const noFramework = {
  moduleNameMapper: {
    ...TYPESCRIPT,
    '^(@nestjs/(core|microservices|platform-fastify|swagger)|fastify)$': '<rootDir>/test/support/no-framework.mjs',
  },
}

export default {
  // A core for each worker, but not so many that one PostgreSQL and one platform have to serve a crowd.
  maxWorkers: Math.min(4, availableParallelism()),
  testTimeout: 30_000,
  projects: [
    suite('unit', ['{apps,libs,test}/**/*.unit.spec.ts'], noFramework),
    suite('integration', ['{apps,libs,test}/**/*.int.spec.ts'], postgres),
    suite('contract', ['{apps,libs,test}/**/*.contract.spec.ts'], postgres),
    suite('e2e', ['test/**/*.e2e.spec.ts'], platform),
    suite('simulation', ['test/**/*.simulation.spec.ts']),
    suite('chaos', ['test/**/*.chaos.spec.ts']),
    suite('manifests', ['test/**/*.manifests.spec.ts']),
    suite('compose', ['test/**/*.compose.spec.ts']),
  ],
}
