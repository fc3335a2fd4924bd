// One platform for the whole end-to-end suite. BAHI_E2E_URL names one that already runs (Compose, Kubernetes) instead.
import { newHome, removeHome, startPlatform } from './platform.mjs'

export default async function setup() {
  if (process.env.BAHI_E2E_URL) return
  const home = await newHome()
  const platform = await startPlatform({ home })
  process.env.BAHI_E2E_URL = platform.baseUrl
  process.env.BAHI_E2E_HOME = home
  globalThis.__stopTestPlatform = async () => {
    await platform.stop()
    if (platform.output.length > 1) process.stderr.write(`the platform's log of this run:\n${platform.output.slice(-60).join('\n')}\n`)
    await removeHome(home)
  }
}
