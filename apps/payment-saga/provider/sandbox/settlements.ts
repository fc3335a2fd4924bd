import type { SettlementAnswer, SettlementFiles } from '#payment'
import { parseSettlementCsv } from '../../reconciliation/settlement-csv.js'

export interface SandboxSettlementsOptions {
  /** Without a slash at the end. */
  readonly url: string
  readonly apiKey: string
  readonly fetch?: typeof fetch
}

/** The sandbox's settlement file of a day, over HTTP. */
export class SandboxSettlements implements SettlementFiles {
  readonly settlesAfter = 0

  constructor(private readonly options: SandboxSettlementsOptions) {}

  async of(date: string, signal: AbortSignal): Promise<SettlementAnswer> {
    const { url, apiKey, fetch: ask = fetch } = this.options
    try {
      const response = await ask(`${url}/v1/settlements/${date}`, { headers: { 'x-api-key': apiKey }, redirect: 'error', signal })
      if (response.status === 200 && response.body && response.headers.get('content-type')?.startsWith('text/csv'))
        return { known: 'file', lines: parseSettlementCsv(response.body, date) }
      // A proxy on the way answers 404 too: either way the file is asked for again.
      await response.body?.cancel()
      return response.status === 404 ? { known: 'not-yet' } : { known: 'unknown', detail: `status ${response.status}` }
    } catch (error) {
      return { known: 'unknown', detail: error instanceof Error ? error.name : 'no answer' }
    }
  }
}
