import { fetch as undiciFetch } from 'undici'
import type { Fetch } from '../provider/http.js'

type Fault = 'request lost' | 'answer lost' | { readonly status: number; readonly body: string } | { readonly until: () => Promise<void> }

/** The way to a provider: what is sent is kept, and requests go wrong as they are told to, one after another. */
export class FaultyNetwork {
  readonly sent: {
    readonly method: string
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
  }[] = []
  #faults: (Fault | undefined)[] = []
  #always: Fault | undefined

  /** What goes wrong with the next requests; undefined: nothing. */
  next(...faults: readonly (Fault | undefined)[]): void {
    this.#faults = [...faults]
  }

  /** All of them, from now on. */
  always(fault: Fault | undefined): void {
    this.#always = fault
  }

  readonly fetch: Fetch = async (url, init) => {
    this.sent.push({ method: init.method, url, headers: init.headers, body: init.body ?? '' })
    const fault = this.#always ?? this.#faults.shift()
    if (fault === 'request lost') throw new TypeError('fetch failed')
    if (typeof fault === 'object' && 'status' in fault) return new Response(fault.body, { status: fault.status })
    const response = await undiciFetch(url, init)
    const body = await response.arrayBuffer()
    if (fault === 'answer lost') throw new TypeError('terminated')
    if (typeof fault === 'object') await fault.until()
    return new Response(body, { status: response.status })
  }
}
