/**
 * Counts decisions in memory, after their replies, and writes the counts in batches a little more often than every second: a
 * crash loses no more than that of them. Bounded whatever comes: beyond the bounds a credential's routes are counted as one, then
 * credentials are.
 */
import type { Clock, Principal } from '../kernel/index.ts'
import { inBatches, RegularFlush, type Storage, StorageUnavailable } from '../storage/index.ts'
import { addCounts, addRequests, addScopes } from './store.ts'
import { RING, type RecentRequest, type UsageCell, type UsageCount, type UsedScope } from './usage-cell.ts'

/** Whose credential it was. One object for each cached credential: what is known of it is found by identity. */
export interface Used {
  readonly principal: Principal
  readonly refs: readonly string[]
}

export interface Use {
  readonly used: Used | undefined
  readonly route: string
  readonly result: string
  readonly address: string | undefined
  /** Those that the route asked for, of a request that passed. */
  readonly scopes: readonly string[]
}

const FLUSH_MS = 900
const MOST_CELLS = 50_000
const MOST_ROUTES = 200
const MOST_REQUESTS = 2_000
/** Of one key between two flushes: a busy key's ring is written with the latest few. */
const MOST_REQUESTS_EACH = 10
const MOST_SCOPES = 20_000
/** A used scope is written down once in so long. */
const SCOPE_MS = 3_600_000
const BATCH = 500

/** What one credential did since the last flush. */
interface Tally {
  readonly owner: Omit<UsageCell, 'route' | 'result'>
  /** By route, then by result. */
  readonly routes: Map<string, Map<string, UsageCount>>
  readonly requests: RecentRequest[]
  /** Those that were noted last: a route asks for one list of them, every time. */
  scopes: readonly string[] | undefined
  /** Where the next request goes once the latest few are full. */
  next: number
}

export class UsageMeter {
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #flush: RegularFlush
  #tallies = new WeakMap<object, Tally>()
  #counts: UsageCount[] = []
  #requests: RecentRequest[][] = []
  #requestsSize = 0
  #scopes: UsedScope[] = []
  #overflow: Tally | undefined
  #minute = 0
  readonly #scopesSeen = new Map<string, number>()

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
    this.#flush = new RegularFlush(() => this.#write(), FLUSH_MS)
  }

  start(): void {
    this.#flush.start()
  }

  stop(): Promise<void> {
    return this.#flush.stop()
  }

  flush(): Promise<void> {
    return this.#flush.now()
  }

  note({ used, route, result, address, scopes }: Use): void {
    const nowMs = this.#clock.nowMs()
    const minute = Math.floor(nowMs / 60_000)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#startTallies()
    }
    const tally = this.#tally(used)
    this.#count(tally, route, result).count++
    const { credential } = tally.owner
    if (credential === '' || credential === '*') return
    this.#remember(tally, { credential, atMs: nowMs, route, address: address ?? '', result })
    if (result !== 'valid' || scopes === tally.scopes) return
    tally.scopes = scopes
    for (const scope of scopes) this.#noteScope(credential, scope, nowMs)
  }

  #tally(used: Used | undefined): Tally {
    const known = this.#tallies.get(used ?? NOBODY)
    if (known) return known
    if (this.#counts.length >= MOST_CELLS && used) return (this.#overflow ??= tallyOf(ANYBODY))
    const tally = tallyOf(used ? ownerOf(used) : NOBODY)
    this.#tallies.set(used ?? NOBODY, tally)
    return tally
  }

  #count(tally: Tally, route: string, result: string): UsageCount {
    let results = tally.routes.get(route)
    if (!results) {
      const known = tally.routes.size < MOST_ROUTES && this.#counts.length < MOST_CELLS
      const name = known ? route : '*'
      results = tally.routes.get(name)
      if (!results) tally.routes.set(name, (results = new Map()))
      route = name
    }
    let count = results.get(result)
    if (!count) {
      count = { ...tally.owner, route, result, minute: this.#minute, count: 0 }
      results.set(result, count)
      this.#counts.push(count)
    }
    return count
  }

  #remember(tally: Tally, request: RecentRequest): void {
    if (tally.requests.length < MOST_REQUESTS_EACH) {
      if (this.#requestsSize >= MOST_REQUESTS) return
      if (tally.requests.length === 0) this.#requests.push(tally.requests)
      tally.requests.push(request)
      this.#requestsSize++
    } else {
      tally.requests[tally.next] = request
      tally.next = (tally.next + 1) % MOST_REQUESTS_EACH
    }
  }

  #noteScope(credential: string, scope: string, nowMs: number): void {
    const name = `${credential} ${scope}`
    const seen = this.#scopesSeen.get(name)
    if (seen !== undefined && nowMs - seen < SCOPE_MS && nowMs >= seen) return
    if (this.#scopesSeen.size >= MOST_SCOPES) this.#scopesSeen.clear()
    this.#scopesSeen.set(name, nowMs)
    if (this.#scopes.length < MOST_SCOPES) this.#scopes.push({ credential, scope, atMs: nowMs })
  }

  #startTallies(): void {
    this.#tallies = new WeakMap()
    this.#overflow = undefined
  }

  async #write(): Promise<void> {
    const [counts, requests, scopes] = [this.#counts, this.#requests.flat(), this.#scopes]
    this.#counts = []
    this.#requests = []
    this.#requestsSize = 0
    this.#scopes = []
    this.#startTallies()
    try {
      await inBatches(counts, BATCH, async (batch) => {
        await this.#storage.write((tx) => addCounts(tx, batch))
        for (const written of batch) written.count = 0
      })
      await inBatches(requests, BATCH, (batch) => this.#storage.write((tx) => addRequests(tx, batch, RING)))
      await inBatches(scopes, BATCH, (batch) => this.#storage.write((tx) => addScopes(tx, batch)))
    } catch (error) {
      if (!(error instanceof StorageUnavailable)) throw error
      // Counts are kept for the next try, up to the bound, but for those of a batch that was written before.
      const unwritten = counts.filter(({ count }) => count > 0)
      this.#counts.push(...unwritten.slice(0, Math.max(0, MOST_CELLS - this.#counts.length)))
      for (const { credential, scope } of scopes) this.#scopesSeen.delete(`${credential} ${scope}`)
    }
  }
}

const NOBODY = { credential: '', client: '', tenant: '', resource: '' }
const ANYBODY = { credential: '*', client: '', tenant: '', resource: '' }

function tallyOf(owner: Tally['owner']): Tally {
  return { owner, routes: new Map(), requests: [], scopes: undefined, next: 0 }
}

/** A token is short-lived and one of many: it counts for the key, the grant or the session that it descends from. */
function ownerOf({ principal, refs }: Used): Tally['owner'] {
  const key = refs.find((ref) => ref.startsWith('api_key:'))?.slice('api_key:'.length)
  return {
    credential: key ?? principal.grantId ?? principal.sessionId ?? '',
    client: principal.clientId ?? '',
    tenant: principal.tenant,
    resource: principal.resource,
  }
}
