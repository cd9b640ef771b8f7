/** One process's table of routes: those of the file, then those of the database, read again when the feed says so. */
import type { FeedReader } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import { RouteTable } from './match-routes.ts'
import type { GatewayRoute } from './route.ts'
import { selectRoutes } from './route-store.ts'

/** In case a row of the feed was missed. */
const POLL_MS = 30_000

export class LiveRoutes {
  readonly #storage: Storage
  readonly #fromFile: readonly GatewayRoute[]
  #table: RouteTable
  #reading: Promise<void> | undefined
  #queued: Promise<void> | undefined

  constructor(storage: Storage, fromFile: readonly GatewayRoute[]) {
    this.#storage = storage
    this.#fromFile = fromFile
    this.#table = new RouteTable(fromFile)
  }

  get table(): RouteTable {
    return this.#table
  }

  get fromFile(): readonly GatewayRoute[] {
    return this.#fromFile
  }

  /**
   * One reading after another: of two at once the earlier could end last, and undo what the later one found. Whoever calls
   * during a reading waits for one that begins after it.
   */
  load(): Promise<void> {
    if (!this.#reading) return this.#begin()
    this.#queued ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#queued = undefined
        return this.#begin()
      })
    return this.#queued
  }

  #begin(): Promise<void> {
    this.#reading = this.#read().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #read(): Promise<void> {
    this.#table = new RouteTable([...this.#fromFile, ...(await selectRoutes(this.#storage.read()))])
  }

  /** Stays current until the answer is called. What is known stays when the database cannot be read. */
  follow(feed: FeedReader): () => void {
    const refresh = (): void => void this.load().catch(() => {})
    const poll = setInterval(refresh, POLL_MS).unref()
    const stops = [
      feed.onRows((rows) => {
        if (rows.some(({ kind }) => kind === 'gateway')) refresh()
      }),
      feed.onReset(refresh),
      () => clearInterval(poll),
    ]
    return () => {
      for (const stop of stops) stop()
    }
  }
}
