import { appOf, containersOf, environmentOf } from './checks.js'
import { named, type KubeObject } from './objects.js'

/** A payer at a bank's page is sent back to where the platform is reached from outside, and on to the shop. */
export const payersComeBack = (objects: readonly KubeObject[]): readonly string[] => {
  const hosts = named(objects, 'HTTPRoute').flatMap(({ spec }) => spec?.hostnames ?? [])
  return containersOf(objects)
    .filter(({ workload, container }) => workload.kind === 'Deployment' && appOf(container) === 'payment-saga')
    .flatMap(({ container }) => {
      const env = environmentOf(objects, container)
      const [back, shop] = [env.get('PUBLIC_URL'), env.get('PAYMENT_RETURN_URL')]
      return [
        ...(back !== undefined && hosts.some((host) => back === `https://${host}`) ? [] : [`payers are sent back to ${back}`]),
        ...(shop?.startsWith('https://') && shop.includes('{id}') ? [] : [`payers end at ${shop}`]),
      ]
    })
}
