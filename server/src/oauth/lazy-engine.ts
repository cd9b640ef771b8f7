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
    this.#loading ??= import('./engine.ts').then(({ OAuthEngine }) => new OAuthEngine(this.#ports))
    return this.#loading
  }

  async close(): Promise<void> {
    ;(await this.#loading)?.close()
  }
}
