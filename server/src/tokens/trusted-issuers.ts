/** One process's view of the trusted issuers and of their keys, read again when the feed tells of a change. */
import type { Clock, DenialCode } from '../kernel/index.ts'
import type { FeedReader } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import type { JwsHeader } from './compact-jws.ts'
import { type FetchGuard, fetchGuardedJson } from './guarded-fetch.ts'
import { type RemoteKey, RemoteKeys, type RemoteKeysPorts } from './remote-keys.ts'
import type { TrustedIssuer } from './trusted-issuer.ts'
import { selectTrustedIssuers } from './trusted-issuer-store.ts'

export interface TrustedIssuersPorts {
  readonly storage: Storage
  readonly clock: Clock
  readonly guard: FetchGuard
  /** An issuer's keys could not be fetched: for the log. */
  readonly onFailure?: (issuer: TrustedIssuer, error: unknown) => void
}

interface Held {
  readonly issuer: TrustedIssuer
  readonly keys: RemoteKeys
}

const POLL_MS = 30_000

export class TrustedIssuers {
  readonly #storage: Storage
  readonly #keyPorts: RemoteKeysPorts
  #byIssuer = new Map<string, TrustedIssuer[]>()
  #held = new Map<string, Held>()

  constructor({ storage, clock, guard, onFailure }: TrustedIssuersPorts) {
    this.#storage = storage
    this.#keyPorts = {
      clock,
      fetchJson: (url) => fetchGuardedJson(url, guard),
      onFailure: (issuer, error) => onFailure?.(issuer, error),
    }
  }

  async load(): Promise<void> {
    const issuers = await selectTrustedIssuers(this.#storage.read())
    this.#held = new Map(issuers.map((issuer) => [issuer.id, this.#hold(issuer)]))
    this.#byIssuer = Map.groupBy(issuers, ({ issuer }) => issuer)
  }

  follow(feed: FeedReader): () => void {
    // What is known stays when the database cannot be read: every first sight asks it about the agreement as well.
    const refresh = (): void => void this.load().catch(() => {})
    const poll = setInterval(refresh, POLL_MS).unref()
    const stops = [
      feed.onRows((rows) => {
        if (rows.some(({ kind, key }) => kind === 'resource' || (kind === 'signing_key' && isIssuer(key))))
          refresh()
      }),
      feed.onReset(refresh),
      () => clearInterval(poll),
    ]
    return () => {
      for (const stop of stops) stop()
    }
  }

  /** The agreements with this issuer, compared exactly. */
  of(issuer: string): readonly TrustedIssuer[] {
    return this.#byIssuer.get(issuer) ?? []
  }

  /** From this agreement's own keys: no other issuer's are ever looked at. */
  keyFor(issuer: TrustedIssuer, header: JwsHeader): Promise<RemoteKey | DenialCode> {
    const held = this.#held.get(issuer.id)
    return held ? held.keys.keyFor(header) : Promise.resolve('unknown')
  }

  /** Keys outlive a change that does not concern them. */
  #hold(issuer: TrustedIssuer): Held {
    const known = this.#held.get(issuer.id)
    const same =
      known?.issuer.jwksUri === issuer.jwksUri && known.issuer.algorithms.join() === issuer.algorithms.join()
    return { issuer, keys: known && same ? known.keys : new RemoteKeys(issuer, this.#keyPorts) }
  }
}

function isIssuer(key: string): boolean {
  return key.startsWith('iss_')
}
