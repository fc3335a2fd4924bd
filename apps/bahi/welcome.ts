const PRODUCT = {
  title: 'boAt Airdopes 141',
  description: 'बोट एयरडोप्स 141',
  category: 'audio',
  brand: 'boAt',
  price: { amount: '149900', currency: 'INR' },
  gstRate: 18,
  hsn: '8518',
}
const ADDRESS = { name: 'Asha Rao', line1: '14 MG Road', city: 'Bengaluru', state: 'KA', pincode: '560001', phone: '+919876543210' }
const ORDER = { items: [{ sku: 'BOAT-141', quantity: 2 }], shippingAddress: ADDRESS, payment: { method: 'upi', vpa: 'success@upi' } }

/** Where the demo looks unless it is told. */
const DEFAULT_URL = 'http://localhost:3000'

/** Three commands to paste: a product, its stock, and an order that is paid by UPI. */
export const welcome = (baseUrl: string, home: string, token: string, orderKey: string): string => {
  const elsewhere = baseUrl === DEFAULT_URL ? '' : ` -- --url ${baseUrl}`
  const curl = (method: string, path: string, body: object, headers: readonly string[] = []) =>
    [
      'curl',
      '-sS',
      '-X',
      method,
      `${baseUrl}${path}`,
      ...[`Authorization: Bearer ${token}`, 'Content-Type: application/json', ...headers].flatMap((header) => ['-H', `'${header}'`]),
      '-d',
      `'${JSON.stringify(body)}'`,
    ].join(' ')
  return [
    `Bahi is ready at ${baseUrl}`,
    `  try it:   ${baseUrl}/docs`,
    `  a demo:   npm run demo${elsewhere}   (in another terminal)`,
    `  stop:     Ctrl-C   (data stays in ${home}; \`npm start -- --reset\` begins afresh)`,
    '',
    'Put an order through: a product, its stock, an order. Then open its Location to see it CONFIRMED.',
    '',
    curl('PUT', '/v1/products/BOAT-141', PRODUCT),
    '',
    curl('POST', '/v1/products/BOAT-141/stock', { received: 100 }),
    '',
    curl('POST', '/v1/orders', ORDER, [`Idempotency-Key: ${orderKey}`]).replace('-sS', '-sS -i'),
    '',
  ].join('\n')
}
