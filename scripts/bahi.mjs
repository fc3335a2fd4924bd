#!/usr/bin/env node
// `npx bahi …`: the tools of apps/bahi/cli.
import { become, prepareAside, sayAndExit } from './prepare.mjs'

try {
  await prepareAside()
  become(['--enable-source-maps', '--disable-warning=ExperimentalWarning', 'dist/apps/bahi/cli/main.js', ...process.argv.slice(2)])
} catch (error) {
  sayAndExit(error)
}
