/**
 * What is known about a request before the engine sees it: above all the position of the feed, read from the primary
 * before anything else was checked. A revocation that commits from then on outranks whatever the request leads to.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { readFeedHead } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import type { Held } from './one-write.ts'

export interface Evidence {
  /** Lowered where older evidence is used: a parent token keeps its own. */
  rsn: number
  /** A second presentation of the refresh token may be an honest retry: see refresh-grace.ts. */
  graceful?: boolean
  /** What the engine writes meanwhile waits here: see one-write.ts. */
  held?: Held | undefined
  readonly ip: string
  readonly requestId: string
  /** The OAuth endpoint, as the activity log names it. */
  readonly route: string
}

const current = new AsyncLocalStorage<Evidence>()

/** Reads the position, then runs `work` with it at hand. */
export async function withEvidence<T>(
  storage: Storage,
  request: Omit<Evidence, 'rsn'>,
  work: () => Promise<T>,
): Promise<T> {
  const { seq } = await readFeedHead(storage.read())
  return current.run({ ...request, rsn: seq }, work)
}

/** Throws outside a request: nothing may be issued without a position. */
export function evidence(): Evidence {
  const found = current.getStore()
  if (!found) throw new Error('The feed has to be read before anything is issued.')
  return found
}

/** Undefined outside a request. */
export function evidenceIfAny(): Evidence | undefined {
  return current.getStore()
}

/** Something older than the request vouches for what it leads to. */
export function lowerPosition(rsn: number): void {
  const known = evidence()
  known.rsn = Math.min(known.rsn, rsn)
}
