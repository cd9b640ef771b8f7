/**
 * How a sign-in reaches another host: a code, good once and for a minute, bound to the host and to the browser that
 * asked (the state cookie), is exchanged for that host's own cookie.
 */
import { createHash, randomBytes } from 'node:crypto'
import { findLiveSession, type Session } from '../identity/index.ts'
import type { Clock } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { type BrowserHost, hashOfCredential, sessionCredential } from './browser-hosts.ts'
import { deleteOver, insertAppSession, insertCode, takeCode } from './session-store.ts'

const CODE_MS = 60_000

export interface SessionPorts {
  readonly storage: Storage
  readonly clock: Clock
}

export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What travels in URLs in the state's place: whoever reads one there cannot make the cookie from it. */
export function hashOf(value: string): string {
  return createHash('sha256').update(value).digest('base64url')
}

/** Answers the code. */
export async function issueCode(
  { storage, clock }: SessionPorts,
  session: Session,
  to: { readonly host: BrowserHost; readonly stateHash: string; readonly returnTo: string },
): Promise<string> {
  const code = newSecret()
  await storage.write((tx) =>
    insertCode(tx, {
      codeHash: hashOf(code),
      sessionId: session.id,
      host: to.host.host,
      stateHash: to.stateHash,
      returnTo: to.returnTo,
      expiresAtMs: clock.nowMs() + CODE_MS,
    }),
  )
  return code
}

export interface BegunSession {
  /** For the cookie, and nowhere else. */
  readonly value: string
  readonly returnTo: string
  readonly maxAgeSeconds: number
}

/** Undefined when the code is none, was used, is over, or is another host's or another browser's. */
export async function redeemCode(
  { storage, clock }: SessionPorts,
  code: string,
  from: { readonly host: BrowserHost; readonly state: string | undefined },
): Promise<BegunSession | undefined> {
  // Used up by whoever brings it: one that was stolen on the way is worth nothing to either.
  const taken = await storage.write((tx) => takeCode(tx, hashOf(code)))
  const nowMs = clock.nowMs()
  if (!taken || taken.expiresAtMs <= nowMs || taken.host !== from.host.host) return undefined
  if (from.state === undefined || hashOf(from.state) !== taken.stateHash) return undefined
  const session = await findLiveSession(storage, taken.sessionId, nowMs)
  if (!session) return undefined
  const value = newSecret()
  await storage.write((tx) =>
    insertAppSession(tx, {
      secretHash: hashOfCredential(sessionCredential(value, taken.host)),
      sessionId: session.id,
      host: taken.host,
      createdAtMs: nowMs,
      expiresAtMs: session.expiresAtMs,
    }),
  )
  const maxAgeSeconds = Math.floor((session.expiresAtMs - nowMs) / 1000)
  return { value, returnTo: taken.returnTo, maxAgeSeconds }
}

/** Sweeps codes and host sessions that are over; for upkeep. */
export async function purgeAppSessions({ storage, clock }: SessionPorts): Promise<void> {
  for (let count = 0; count < 20; count++)
    if ((await storage.write((tx) => deleteOver(tx, clock.nowMs(), 500))) < 500) return
}
