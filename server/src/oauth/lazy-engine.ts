/** The engine, loaded and made at the first request that needs it: an API that only takes keys pays nothing for it. */
import type { OAuthEngine } from './engine.ts'
import type { OAuthPorts } from './ports.ts'

export class LazyEngine {
  readonly #ports: OAuthPorts
  #loading: Promise<OAuthEngine> | undefined

  constructor(ports: OAuthPorts) {
    this.#ports = ports
  }

  load(): Promise<OAuthEngine> {
    this.#loading ??= this.#load().catch((error: unknown) => {
      // The database may be away: the next request tries again.
      this.#loading = undefined
      throw error
    })
    return this.#loading
  }

  async #load(): Promise<OAuthEngine> {
    const [{ OAuthEngine }] = await Promise.all([import('./engine.ts'), this.#ports.ensureSigningKeys()])
    return new OAuthEngine(this.#ports)
  }

  async close(): Promise<void> {
    const engine = await this.#loading?.catch(() => undefined)
    engine?.close()
  }
}
