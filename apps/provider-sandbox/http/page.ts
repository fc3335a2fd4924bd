import { formatRupees } from '#kernel'
import type { Payment } from '../payment.js'

/** On a phone the buttons go from side to side, one below the other; each is high enough for a thumb (WCAG 2.2, 2.5.5: 44 pixels). */
const STYLE = `
:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif }
body { margin: 0 }
main { box-sizing: border-box; max-width: 28rem; margin: 0 auto; padding: 1.5rem 1rem }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 0.5rem }
dl { margin: 1.5rem 0 }
dt { font-size: 0.9rem; opacity: 0.8 }
dd { margin: 0 0 1rem; overflow-wrap: anywhere }
dd strong { font-size: 2rem; line-height: 1.2 }
button { display: block; width: 100%; min-height: 3rem; margin: 0 0 0.75rem; border: 2px solid #1d4ed8; border-radius: 0.5rem; font: inherit; font-weight: 600; cursor: pointer }
.pay { background: #1d4ed8; color: #fff }
.decline { background: transparent; color: inherit }
button:focus-visible { outline: 3px solid; outline-offset: 3px }`

/** What the payer reads when there is nothing to decide, or not any more. */
const outcomeOf = ({ status, declineReason }: Payment): string => {
  switch (status) {
    case 'pending':
      return 'Nothing is asked of you here: this payment is waited for.'
    case 'authorised':
      return 'You have approved this payment. You may close this page.'
    case 'captured':
      return 'This payment is made. You may close this page.'
    case 'declined':
      return declineReason === 'declined-by-payer'
        ? 'You declined this payment. Nothing was taken.'
        : declineReason === 'expired'
          ? 'The time for this payment is over. Nothing was taken.'
          : 'This payment was declined. Nothing was taken.'
    case 'voided':
      return 'This payment was given up. Nothing was taken.'
  }
}

/** The page of a payment, for its payer: what is to be paid and two buttons, or what became of it. Nothing is loaded and nothing runs. */
export const pageOf = (payment: Payment): string => {
  const { orderId, amount, status, asksPayer } = payment
  const rupees = `\u20b9${formatRupees(amount)}`
  const asked = status === 'pending' && asksPayer === true
  const heading = asked ? 'Approve this payment?' : 'Your payment'
  const form = `<form method="post" aria-labelledby="heading">
<button class="pay" name="decision" value="pay">Pay ${rupees}</button>
<button class="decline" name="decision" value="decline">Decline, pay nothing</button>
</form>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${heading} · Sandbox bank</title>
<style>${STYLE}
</style>
</head>
<body>
<main>
<h1 id="heading">${heading}</h1>
<p>Sandbox bank, for tests: no money moves here.</p>
<dl>
<dt>Amount</dt>
<dd><strong>${rupees}</strong></dd>
<dt>Order</dt>
<dd>${escaped(orderId)}</dd>
</dl>
${asked ? form : `<p role="status">${outcomeOf(payment)}</p>`}
</main>
</body>
</html>
`
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
