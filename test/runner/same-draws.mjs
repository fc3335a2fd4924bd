// What property tests draw is the same each time in CI, which says of a change whether it is well, and new each time elsewhere, where a person can look
// at what was found: `seed` and `path` of a failure draw it again.
import fc from 'fast-check'

const SEED = 2128298276

if (process.env.CI === 'true') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED, includeErrorInReport: true })
