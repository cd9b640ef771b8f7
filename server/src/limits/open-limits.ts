/** Puts the counters together as a deployment has them: one process, several with Valkey, or several without. */
import { type Clock, type Presented } from '../kernel/index.ts'
import type { FeedReader } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import type { BoundLimit, Charged } from './bound-limit.ts'
import { type LimitDecision, Limits } from './decide.ts'
import { findLimits, type LimitsOf } from './find-limits.ts'
import { saveLevels, takeLevels } from './level-store.ts'
import { LimitedOrNot } from './limited-or-not.ts'
import { LocalCounters } from './local-counters.ts'
import { Leases } from './leases.ts'
import { purgeQuotas } from './quota-store.ts'
import { Quotas } from './quotas.ts'
import { SharedCounters } from './shared-counters.ts'
import { deleteOfDeletedParents } from './store.ts'
import type { ValkeyCounters } from './valkey-counters.ts'

export interface LimitsOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly feed: Pick<FeedReader, 'position' | 'onRows' | 'onReset'>
  /** How many processes serve, on all nodes. */
  readonly processes: number
  readonly valkeyUrl: string | undefined
  readonly whenLost: 'share' | 'closed'
  /** False for a process that serves nobody: it reads limits and charges nothing. */
  readonly charges: boolean
  warn(message: string, error?: unknown): void
}

export interface OpenedLimits {
  readonly leases: Leases
  find(presented: Presented): Promise<LimitsOf>
  charge(limits: readonly BoundLimit[], cost: number): LimitDecision | Promise<LimitDecision>
  /** Of a token with the position `rsn`: see `LimitedOrNot`. */
  isLimited(rsn: number, charged: () => Promise<Charged>): boolean | Promise<boolean>
  /** For upkeep. */
  tend(): Promise<void>
  close(): Promise<void>
}

const QUOTAS_KEPT_MS = 62 * 86_400_000
const BATCH = 500

/** Loaded only where it is used: a deployment without Valkey has no use for its client. */
async function openValkey({ feed, whenLost, warn }: LimitsOptions, url: string): Promise<ValkeyCounters> {
  const { ValkeyCounters: Counters } = await import('./valkey-counters.ts')
  const lost =
    whenLost === 'share'
      ? 'Valkey is lost; this process counts its share of each limit.'
      : 'Valkey is lost; whatever has a limit is refused until it is back.'
  const counters = new Counters({
    url,
    position: () => feed.position,
    onChange: (reached, error) =>
      reached ? warn('Valkey is back; limits are exact again.') : warn(lost, error),
  })
  await counters.connect()
  return counters
}

export async function openLimits(options: LimitsOptions): Promise<OpenedLimits> {
  const { storage, clock, feed, processes, valkeyUrl, whenLost, charges, warn } = options
  const position = () => feed.position
  const quotas = new Quotas(storage, clock)
  const share = 1 / processes
  const local = new LocalCounters({ clock, sinceRsn: position(), share })
  const valkey = valkeyUrl !== undefined && charges ? await openValkey(options, valkeyUrl) : undefined
  const counters = valkey
    ? new SharedCounters({ valkey, clock, share: whenLost === 'share' ? share : undefined, position })
    : local
  // Alone, the levels outlive a clean end. Of several, each would restore what is the others' as well.
  const remembers = charges && !valkey && processes === 1
  if (remembers) {
    const left = await storage.write(takeLevels)
    if (left) local.restore(left.levels, clock.nowMs() - left.atMs)
  }
  const limits = new Limits({
    counters,
    quotas,
    onFailure: (error) => warn('a limit could not be counted, and its request was refused', error),
  })
  const limitedOrNot = new LimitedOrNot(storage, feed)
  return {
    leases: new Leases({
      storage,
      clock,
      counters,
      quotas,
      // With counters of this process alone, what one process leased another would not take back.
      canLease: charges && (valkey !== undefined || processes === 1),
      canLeaseQuotas: processes === 1,
    }),
    find: (presented) => findLimits(storage, presented),
    isLimited: (rsn, charged) => limitedOrNot.isLimited(rsn, charged),
    charge: (bound, cost) => (charges ? limits.decide(bound, cost) : { denial: undefined, states: [] }),
    async tend() {
      await storage.write((tx) => purgeQuotas(tx, clock.nowMs() - QUOTAS_KEPT_MS))
      await storage.write((tx) => deleteOfDeletedParents(tx, BATCH))
    },
    async close() {
      valkey?.close()
      if (!charges) return
      await quotas.close()
      if (remembers) await storage.write((tx) => saveLevels(tx, local.levels(), clock.nowMs()))
    },
  }
}
