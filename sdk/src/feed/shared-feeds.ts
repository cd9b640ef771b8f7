/** One connection to the feed per process, server and credential, whoever makes how many verifiers. */
import type { Clock } from '../clock.ts'
import { FeedClient } from './feed-client.ts'
import type { FeedSource } from './feed-request.ts'

interface Shared {
  readonly source: FeedSource
  readonly clock: Clock
  readonly client: FeedClient
}

const shared = new Set<Shared>()

/** The client for this server and credential; a new one when there is none, or it was closed. */
export function feedFor(source: FeedSource, clock: Clock): FeedClient {
  for (const one of shared) {
    if (one.client.isClosed) shared.delete(one)
    else if (one.clock === clock && isSame(one.source, source)) return one.client
  }
  const client = new FeedClient(source, clock)
  shared.add({ source, clock, client })
  return client
}

function isSame(one: FeedSource, other: FeedSource): boolean {
  return one.server === other.server && one.credential === other.credential && one.fetch === other.fetch
}
