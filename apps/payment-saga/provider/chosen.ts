import type { Clock } from '#kernel'
import type { PaymentProvider, SettlementFiles } from '#payment'
import { InvalidConfig } from '#platform'
import type { Tracing } from '#tracing'
import type { PaymentSagaConfig } from '../payment-saga.config.js'
import type { ProviderWebhooks } from '../webhooks/provider-webhooks.js'
import { Bulkhead } from './bulkhead.js'
import { ProviderHttp } from './http.js'
import { RazorpayProvider } from './razorpay/provider.js'
import { RAZORPAY_SETTLES_AFTER, RazorpaySettlements } from './razorpay/settlements.js'
import { razorpayWebhooks } from './razorpay/webhooks.js'
import { SandboxProvider } from './sandbox/provider.js'
import { SandboxSettlements } from './sandbox/settlements.js'
import { sandboxWebhooks } from './sandbox/webhooks.js'

/** The payment provider that the configuration names, with all that the app needs of it. */
export interface ChosenProvider {
  readonly provider: PaymentProvider
  readonly files: SettlementFiles
  readonly signed: Readonly<Record<string, ProviderWebhooks>>
  /** That of the payments, to be watched. */
  readonly http: ProviderHttp
  /** Ends all connections. */
  close(): Promise<void>
}

/** How long an answer may take: asking is cheap, and done again; a page of a report is made while we wait. */
const TIMEOUT_MS = { authorise: 5_000, find: 2_000, change: 5_000, report: 30_000 }
/** Reports have a bulkhead and a circuit breaker of their own: neither is slowed, or spared, for the other's sake. */
const REPORTS_AT_ONCE = 1

type Settings = Pick<
  PaymentSagaConfig,
  | 'PROVIDER'
  | 'PROVIDER_URL'
  | 'PROVIDER_API_KEY'
  | 'PROVIDER_KEY_ID'
  | 'PROVIDER_PAYER_EMAIL'
  | 'PROVIDER_PAYER_CONTACT'
  | 'PROVIDER_WEBHOOK_SECRET'
  | 'PROVIDER_CONCURRENCY'
>

/** Throws `InvalidConfig` where the provider needs a variable that is not set, and for a live key that would go over plain HTTP. */
export const chosenProvider = (config: Settings, clock: Clock, tracing?: Tracing): ChosenProvider => {
  const { PROVIDER, PROVIDER_URL: url, PROVIDER_API_KEY: apiKey, PROVIDER_WEBHOOK_SECRET: secret } = config
  const http = (headers: Readonly<Record<string, string>>, places = config.PROVIDER_CONCURRENCY) =>
    new ProviderHttp({ url, headers, clock, tracing, timeout_ms: TIMEOUT_MS, bulkhead: new Bulkhead(places) })
  switch (PROVIDER) {
    case 'sandbox': {
      const over = http({ 'x-api-key': apiKey })
      const files = new SandboxSettlements({ url, apiKey })
      return {
        provider: new SandboxProvider(over),
        files,
        signed: { sandbox: sandboxWebhooks(secret) },
        http: over,
        close: () => over.close(),
      }
    }
    case 'razorpay': {
      const keyId = needed(config, 'PROVIDER_KEY_ID')
      if (keyId.startsWith('rzp_live_') && !url.startsWith('https://'))
        throw new InvalidConfig('PROVIDER_URL: must be https:// with a live key (PROVIDER_KEY_ID)')
      const payer = { email: needed(config, 'PROVIDER_PAYER_EMAIL'), contact: needed(config, 'PROVIDER_PAYER_CONTACT') }
      const headers = { authorization: `Basic ${Buffer.from(`${keyId}:${apiKey}`).toString('base64')}` }
      const over = http(headers)
      const reports = http(headers, REPORTS_AT_ONCE)
      return {
        provider: new RazorpayProvider(over, payer),
        files: new RazorpaySettlements(reports, clock),
        signed: { razorpay: razorpayWebhooks(secret) },
        http: over,
        close: async () => void (await Promise.all([over.close(), reports.close()])),
      }
    }
  }
}

/** As `SettlementFiles` says it, for who has a file and no provider. */
export const settlesAfter = (provider: string | undefined): number => (provider === 'razorpay' ? RAZORPAY_SETTLES_AFTER : 0)

const needed = (config: Settings, name: 'PROVIDER_KEY_ID' | 'PROVIDER_PAYER_EMAIL' | 'PROVIDER_PAYER_CONTACT'): string => {
  const value = config[name]
  if (value === undefined) throw new InvalidConfig(`${name}: must be set with PROVIDER=${config.PROVIDER}`)
  return value
}
