/**
 * Notices that the database was put back from a copy, or that another server took its place. Then a new epoch begins, so
 * that every verifier starts afresh; where rows are evidently lost, tokens from before end as well, for nobody knows any
 * more which of them had been revoked. decisions/010 weighs it.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomBase62, systemCaller } from '../kernel/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import type { Changes } from './changes.ts'
import { beginEpoch, lockFeedHead, readFeedHead } from './store.ts'

const NOTE = 'feed-head'

export function newEpoch(): string {
  return randomBase62(12)
}

/** The head noted in the data folder, if it is this deployment's; 0 when there is none or it cannot be read. */
export function readNotedHead(dataDir: string, deployment: string): number {
  try {
    const [head, of = deployment] = readFileSync(join(dataDir, NOTE), 'utf8').trim().split(' ')
    const noted = Number(head)
    return of === deployment && Number.isSafeInteger(noted) ? noted : 0
  } catch {
    return 0
  }
}

/** Notes the head, replacing the file at once. It may lag behind the database, and must never lead it. */
export function noteHead(dataDir: string, deployment: string, seq: number): void {
  const file = join(dataDir, NOTE)
  writeFileSync(`${file}.new`, `${seq} ${deployment}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

export interface RestorePorts {
  readonly storage: Storage
  readonly changes: Changes
  /** Prepares, before anything is locked, what ends every access token that was issued so far. */
  prepareEndOfTokens(): Promise<(tx: Transaction, changes: Changes, reason: string) => Promise<void>>
  alarm(message: string, about: Readonly<Record<string, unknown>>): void
}

const SYSTEM = systemCaller([])
const REASON = 'the database was put back from a copy'

export class RestoreGuard {
  readonly #ports: RestorePorts
  #busy = false

  constructor(ports: RestorePorts) {
    this.#ports = ports
  }

  /** Another Postgres server writes now: a standby that took over, or a copy. Several nodes find it, one acts. */
  async timelineChanged(timeline: string): Promise<void> {
    await this.#once(async () => {
      const { storage, changes, alarm } = this.#ports
      const began = await storage.write(async (tx) => {
        const head = await lockFeedHead(tx)
        if (head.timeline === timeline) return false
        beginEpoch(tx, { epoch: newEpoch(), timeline, atLeast: 0 })
        record(tx, changes, 'another database server took over', { was: head.timeline, is: timeline })
        return true
      })
      if (began) alarm('Another database server took over: verifiers start afresh.', { timeline })
    })
  }

  /**
   * The head is behind one that was seen: what was committed in between is lost, revocations among it. Answers whether
   * this call acted; another node may have been first.
   */
  async headBehind(seen: number): Promise<boolean> {
    return this.#once(async () => {
      const { storage, changes, prepareEndOfTokens, alarm } = this.#ports
      if ((await readFeedHead(storage.read())).seq >= seen) return false
      const endTokens = await prepareEndOfTokens()
      const lost = await storage.write(async (tx) => {
        const head = await lockFeedHead(tx)
        if (head.seq >= seen) return undefined
        await endTokens(tx, changes, REASON)
        // Numbers that were given out are not given out again, whatever the clock says.
        beginEpoch(tx, { epoch: newEpoch(), timeline: head.timeline, atLeast: seen })
        record(tx, changes, REASON, { head: head.seq, seen })
        return { head: head.seq, seen, since: new Date(head.seq / 1000).toISOString() }
      })
      if (!lost) return false
      alarm(
        'The database is older than it was: it was put back from a copy. All access tokens were ended. Keys, sessions and grants that were revoked since the copy was made are alive again: revoke them anew.',
        lost,
      )
      return true
    })
  }

  async #once<T>(work: () => Promise<T>): Promise<T | false> {
    if (this.#busy) return false
    this.#busy = true
    try {
      return await work()
    } finally {
      this.#busy = false
    }
  }
}

/** At a start: compares the head with the one noted in the data folder. Answers whether a loss was found. */
export async function detectRestore(
  guard: RestoreGuard,
  dataDir: string,
  deployment: string,
): Promise<boolean> {
  return guard.headBehind(readNotedHead(dataDir, deployment))
}

function record(
  tx: Transaction,
  changes: Changes,
  reason: string,
  data: Readonly<Record<string, unknown>>,
): void {
  changes.record(tx, SYSTEM, {
    action: 'feed.restarted',
    tenant: null,
    target: { type: 'feed', id: 'feed' },
    data: { reason, ...data },
    // The new epoch itself tells every verifier.
    feed: null,
  })
}
