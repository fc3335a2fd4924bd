import type { Issuer } from '../distributed/issuer.js'
import type { Shop } from './traffic.js'

interface Owned {
  readonly walletId: string
  readonly token: string
}

const OPENING = 100_000
/** What a rule may refuse: too little money, a hold that expired. Anything else is wrong. */
const ANSWERS = [201, 409, 422]
const ENDINGS = [200, 409, 422]

const inr = (paise: number) => ({ amount: String(paise), currency: 'INR' })

/**
 * Clients of the wallet's app who credit, debit, hold, capture, release and transfer without a pause, from several lanes at once, until told to
 * stop. Every call has a key of its own, which is also its reference, and is carried through to its answer.
 */
export class WalletTraffic {
  readonly wallets: Owned[] = []
  #running = false
  #lanes: Promise<unknown> = Promise.resolve()
  #calls = 0
  #service = ''

  constructor(
    readonly shop: Shop,
    private readonly random: () => number,
    private readonly issuer: Issuer,
  ) {}

  async open(wallets: number): Promise<void> {
    this.#service = await this.issuer.tokenOf('settlement', 'service')
    const support = await this.issuer.tokenOf('support', 'support')
    for (let n = 0; n < wallets; n++) {
      const ownerId = `c-${n}`
      const { walletId } = await this.shop.post('/v1/wallets', support, this.#key('open'), { ownerId, kyc: 'full' }, [201])
      this.wallets.push({ walletId: String(walletId), token: await this.issuer.tokenOf(ownerId, 'customer') })
    }
    for (const { walletId } of this.wallets) await this.#move('credits', walletId, OPENING)
  }

  start(lanes: number): void {
    this.#running = true
    this.#lanes = Promise.all(Array.from({ length: lanes }, () => this.#lane()))
    this.#lanes.catch(() => undefined)
  }

  /** Resolves when every call under way has its answer. */
  async stop(): Promise<void> {
    this.#running = false
    await this.#lanes
  }

  async #lane(): Promise<void> {
    while (this.#running) {
      const dice = this.random()
      if (dice < 0.25) await this.#move('credits', this.#pick().walletId, this.#paise(500))
      // Now and then more than there is.
      else if (dice < 0.5) await this.#move('debits', this.#pick().walletId, this.#paise(dice < 0.27 ? 1_000_000 : 500))
      else if (dice < 0.75) await this.#hold(this.#pick())
      else await this.#transfer(this.#pick(), this.#pick())
    }
  }

  async #move(what: 'credits' | 'debits', walletId: string, paise: number): Promise<void> {
    const key = this.#key(what)
    await this.shop.post(`/v1/wallets/${walletId}/${what}`, this.#service, key, { amount: inr(paise), reference: key }, ANSWERS)
  }

  async #transfer(from: Owned, to: Owned): Promise<void> {
    if (from === to) return
    const key = this.#key('transfer')
    const body = { fromWalletId: from.walletId, toWalletId: to.walletId, amount: inr(this.#paise(500)), reference: key }
    await this.shop.post('/v1/transfers', from.token, key, body, ANSWERS)
  }

  /** A third is captured in part, a third released, a third left to its expiry; some expire before their end is asked for. */
  async #hold({ walletId, token }: Owned): Promise<void> {
    const key = this.#key('hold')
    const paise = this.#paise(500)
    const end = this.#paise(3)
    const expires = end === 3 || this.random() < 0.3
    const expiresAt = expires ? { expiresAt: new Date(Date.now() + 1_000 + this.random() * 4_000).toISOString() } : {}
    const path = `/v1/wallets/${walletId}/holds`
    const body = { amount: inr(paise), reference: key, ...expiresAt }
    // 400: the app was away until the time to expire had passed.
    const { holdId } = await this.shop.post(path, token, key, body, [400, ...ANSWERS])
    if (holdId === undefined || end === 3) return
    const ending = end === 1 ? 'capture' : 'release'
    const part = end === 1 ? { amount: inr(this.#paise(paise)) } : {}
    await this.shop.post(`${path}/${String(holdId)}/${ending}`, token, this.#key(ending), part, ENDINGS)
  }

  #paise(most: number): number {
    return 1 + Math.floor(this.random() * most)
  }

  #pick(): Owned {
    const owned = this.wallets[Math.floor(this.random() * this.wallets.length)]
    if (!owned) throw new Error('no wallets were opened')
    return owned
  }

  #key(what: string): string {
    return `${what}-${++this.#calls}`
  }
}
