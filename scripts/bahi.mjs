#!/usr/bin/env node
// `npx bahi …`: the tools of apps/bahi/cli. What must be prepared first is told on the error output: the other is what was asked for.
import { become, build, checkNode, installPackages, sayAndExit } from './prepare.mjs'

try {
  const say = (line) => console.error(`  ${line}`)
  checkNode()
  await installPackages(say)
  await build(say)
  become(['--enable-source-maps', '--disable-warning=ExperimentalWarning', 'dist/apps/bahi/cli/main.js', ...process.argv.slice(2)])
} catch (error) {
  sayAndExit(error)
}
