// `npm run load -- event-store/append --help`: a measurement of test/load, on what is built now, with the Node that the project pins.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { become, prepareAside, Refused, root, sayAndExit } from './prepare.mjs'

const folder = join(root, 'test/load')

/** Those that take options; what else lies there is a part of them. */
const measurements = () =>
  readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.mjs') && !file.includes('node_modules'))
    .filter((file) => /new Command\(|parseArgs\(/.test(readFileSync(join(folder, file), 'utf8')))
    .map((file) => file.slice(0, -'.mjs'.length))
    .sort()

try {
  const [name, ...options] = process.argv.slice(2)
  const all = measurements()
  const list = all.map((each) => `\n  npm run load -- ${each}`).join('')
  if (name === undefined || name === '--help') {
    console.log(`A measurement with its options (--help lists them):${list}`)
    process.exit(0)
  }
  if (!all.includes(name)) throw new Refused(`there is no measurement ${name}; there are:${list}`)
  await prepareAside()
  become([join(folder, `${name}.mjs`), ...options])
} catch (error) {
  sayAndExit(error)
}
