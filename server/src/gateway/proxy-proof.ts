/**
 * How a proxy proves itself: by a secret, compared in constant time; a network only in addition, since whoever reaches
 * this server's public name through the same proxy comes from its address too.
 */
import { timingSafeEqual } from 'node:crypto'
import { inCidrs, parseCidrs } from '../kernel/index.ts'

export interface ProxyRules {
  /** One, or two while it is being replaced; none: nobody is answered. */
  readonly secrets: readonly string[]
  /** Empty: from anywhere. */
  readonly networks: readonly string[]
}

export class ProxyProof {
  readonly #secrets: readonly Buffer[]
  readonly #networks: ReturnType<typeof parseCidrs>
  readonly #known = new Map<string, boolean>()

  constructor({ secrets, networks }: ProxyRules) {
    this.#secrets = secrets.map((secret) => Buffer.from(secret, 'latin1'))
    this.#networks = parseCidrs(networks)
  }

  get isConfigured(): boolean {
    return this.#secrets.length > 0
  }

  /** `peer` is asked for its address only where there is a list: that is a call of the system. */
  accepts(secret: string | undefined, peer: { readonly remoteAddress?: string | undefined }): boolean {
    return this.#isNear(peer) && secret !== undefined && this.#isOurs(secret)
  }

  #isOurs(secret: string): boolean {
    const given = Buffer.from(secret, 'latin1')
    // All of them, always: neither which one fitted nor how far one fitted is to be seen in the time it takes.
    let fits = false
    for (const ours of this.#secrets)
      if (ours.length === given.length && timingSafeEqual(ours, given)) fits = true
    return fits
  }

  #isNear(socket: { readonly remoteAddress?: string | undefined }): boolean {
    if (this.#networks.length === 0) return true
    const peer = socket.remoteAddress ?? ''
    let near = this.#known.get(peer)
    if (near === undefined) {
      near = inCidrs(peer, this.#networks)
      if (this.#known.size >= MOST_PEERS) this.#known.clear()
      this.#known.set(peer, near)
    }
    return near
  }
}

const MOST_PEERS = 1_000
