const inr = (amount: string) => ({ amount, currency: 'INR' })
const gst = { cgst: inr('22866'), sgst: inr('22866'), igst: inr('0') }

/** What both apps answer of an order just placed within the seller's state: two units at INR 1,499.00 with 18 percent GST, paid by wallet. */
export const twoAirdopes = {
  items: [
    {
      sku: 'BOAT-141',
      title: 'boAt Airdopes 141',
      category: 'audio',
      quantity: 2,
      unitPrice: inr('149900'),
      gstRate: 18,
      hsn: '8518',
      lineTotal: inr('299800'),
      gst,
    },
  ],
  totals: { subtotal: inr('299800'), gst, shipping: inr('0'), grandTotal: inr('299800') },
  payment: {
    method: 'wallet',
    walletId: '0190a000-0000-7000-8000-0000000000aa',
    status: 'RUNNING',
    amount: inr('299800'),
    authorised: inr('0'),
    captured: inr('0'),
    refunded: inr('0'),
  },
} as const
