import type { Clock } from '#kernel'
import type { PaymentProvider, SettlementFiles } from '#payment'
import { InvalidConfig } from '#platform'
import type { Tracing } from '#tracing'
import type { PaymentSagaConfig } from '../payment-saga.config.js'
import type { ProviderWebhooks } from '../webhooks/provider-webhooks.js'
import { Bulkhead } from './bulkhead.js'
import { ProviderHttp } from './http.js'
import { RazorpayProvider } from './razorpay/provider.js'
import { RazorpaySettlements } from './razorpay/settlements.js'
import { razorpayWebhooks } from './razorpay/webhooks.js'
import { SandboxProvider } from './sandbox/provider.js'
import { SandboxSettlements } from './sandbox/settlements.js'
import { sandboxWebhooks } from './sandbox/webhooks.js'

/** The payment provider that the configuration names, with all that the app needs of it. */
export interface ChosenProvider {
  readonly provider: PaymentProvider
  readonly files: SettlementFiles
  readonly signed: Readonly<Record<string, ProviderWebhooks>>
  readonly http: ProviderHttp
}

/** How long an answer may take: asking is cheap, and done again. */
const TIMEOUT_MS = { authorise: 5_000, find: 2_000, change: 5_000 }

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
  const http = (headers: Readonly<Record<string, string>>) =>
    new ProviderHttp({ url, headers, clock, tracing, timeout_ms: TIMEOUT_MS, bulkhead: new Bulkhead(config.PROVIDER_CONCURRENCY) })
  switch (PROVIDER) {
    case 'sandbox': {
      const over = http({ 'x-api-key': apiKey })
      const files = new SandboxSettlements({ url, apiKey })
      return { provider: new SandboxProvider(over), files, signed: { sandbox: sandboxWebhooks(secret) }, http: over }
    }
    case 'razorpay': {
      const keyId = needed(config, 'PROVIDER_KEY_ID')
      if (keyId.startsWith('rzp_live_') && !url.startsWith('https://'))
        throw new InvalidConfig('PROVIDER_URL: must be https:// with a live key (PROVIDER_KEY_ID)')
      const payer = { email: needed(config, 'PROVIDER_PAYER_EMAIL'), contact: needed(config, 'PROVIDER_PAYER_CONTACT') }
      const over = http({ authorization: `Basic ${Buffer.from(`${keyId}:${apiKey}`).toString('base64')}` })
      const files = new RazorpaySettlements(over)
      return { provider: new RazorpayProvider(over, payer), files, signed: { razorpay: razorpayWebhooks(secret) }, http: over }
    }
  }
}

const needed = (config: Settings, name: 'PROVIDER_KEY_ID' | 'PROVIDER_PAYER_EMAIL' | 'PROVIDER_PAYER_CONTACT'): string => {
  const value = config[name]
  if (value === undefined) throw new InvalidConfig(`${name}: must be set with PROVIDER=${config.PROVIDER}`)
  return value
}
