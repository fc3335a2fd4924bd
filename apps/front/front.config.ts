import Type from 'typebox'

const AppUrl = (app: string) =>
  Type.String({ pattern: '^https?://[^\\s]+[^\\s/]$', description: `Where ${app} answers, without a slash at the end.` })

export const frontConfig = Type.Object({
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3007, description: 'Where it listens; 0 takes any free port.' }),
  ORDER_COMMAND_URL: AppUrl('order-command'),
  ORDER_QUERY_URL: AppUrl('order-query'),
  WALLET_URL: AppUrl('wallet'),
  PAYMENT_SAGA_URL: AppUrl('payment-saga'),
  FRAUD_URL: AppUrl('fraud'),
})
