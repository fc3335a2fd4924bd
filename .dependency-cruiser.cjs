// The layers of docs/architecture.md, as rules. `npm run check` plants a violation of each first, to prove that it can fail.
const lib = (names) => `^libs/(${names})/`
const above = {
  kernel:
    'contracts|postgres|tracing|event-store|messaging|projections|saga|platform|service|order|order-http|payment-http|stock|wallet|payment|fraud',
  'contracts|postgres|tracing':
    'event-store|messaging|projections|saga|platform|service|order|order-http|payment-http|stock|wallet|payment|fraud',
  'event-store': 'contracts|messaging|projections|saga|platform|service|order|order-http|payment-http|stock|wallet|payment|fraud',
  messaging: 'event-store|projections|saga|platform|service|order|order-http|payment-http|stock|wallet|payment|fraud',
  'projections|saga|platform': 'service|order|order-http|payment-http|stock|wallet|payment|fraud',
  service: 'order|order-http|payment-http|stock|wallet|payment|fraud',
  'order-http|payment-http': 'messaging|projections|saga|service',
}
const FRONT_DOOR = '^libs/[^/]+/((nest|testing)/)?index\\.ts$'
const domain = 'order|stock|wallet|payment|fraud'

module.exports = {
  forbidden: [
    ...Object.entries(above).map(([names, over]) => ({
      name: `${names.replaceAll('|', '-')}-points-down`,
      comment: 'A lib imports only what lies below it.',
      severity: 'error',
      from: { path: lib(names) },
      to: { path: lib(over) },
    })),
    {
      name: 'projections-saga-platform-apart',
      severity: 'error',
      from: { path: '^libs/(projections|saga|platform)/' },
      to: { path: '^libs/(projections|saga|platform)/', pathNot: '^libs/$1/' },
    },
    {
      name: 'domain-is-pure',
      comment: 'A domain lib imports the kernel alone.',
      severity: 'error',
      from: { path: `^libs/(${domain})/`, pathNot: '(spec\\.ts$|/testing/)' },
      to: { pathNot: '^(libs/kernel/|libs/$1/)' },
    },
    {
      name: 'kernel-imports-nothing',
      severity: 'error',
      from: { path: '^libs/kernel/', pathNot: 'spec\\.ts$' },
      to: { pathNot: '^libs/kernel/|^node:|^(crypto|timers/promises)$' },
    },
    { name: 'lib-never-imports-app', severity: 'error', from: { path: '^libs/' }, to: { path: '^apps/' } },
    {
      name: 'app-never-imports-app',
      comment: 'Aside from bahi, which runs them all in one process.',
      severity: 'error',
      from: { path: '^apps/(?!bahi/)([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'lib-by-its-front-door',
      comment: "Only a lib's index.ts, nest/index.ts (what needs Nest) and testing/index.ts are public.",
      severity: 'error',
      from: { path: '^(apps|test)/' },
      to: { path: '^libs/', pathNot: FRONT_DOOR },
    },
    {
      name: 'lib-by-its-neighbours-front-door',
      severity: 'error',
      from: { path: '^libs/([^/]+)/' },
      to: { path: '^libs/', pathNot: [FRONT_DOOR, '^libs/$1/'] },
    },
    {
      name: 'tests-stay-out-of-product',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '((spec|fixture)\\.ts$|/testing/)' },
      to: { path: '(\\.(spec|fixture)\\.ts$|/testing/|^test/)' },
    },
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    { name: 'nothing-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'declared-in-package-json',
      severity: 'error',
      from: { path: '^(apps|libs)/', pathNot: '((spec|fixture)\\.ts$|/testing/)' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.mjs', '.json', '.d.ts'],
    },
  },
}
