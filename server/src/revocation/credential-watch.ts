/**
 * Followers of the feed by the credential that they came with. A credential is asked about again every second and after
 * every batch of rows (a cached verify of its own), and when it ends so does everything that it holds open.
 */
import { hash } from 'node:crypto'
import {
  type Authenticate,
  type Caller,
  type CredentialedRequest,
  type Denial,
  type DenialCode,
  PosternError,
} from '../kernel/index.ts'

export interface FollowerLimits {
  readonly perCredential: number
  readonly inAll: number
}

export const FOLLOWER_LIMITS: FollowerLimits = { perCredential: 2_000, inAll: 5_000 }
const RETRY_SECONDS = 5

interface Ending {
  end(code: DenialCode): void
}

interface Held {
  readonly request: CredentialedRequest
  readonly followers: Set<Ending>
  asking: boolean
}

export class CredentialWatch {
  readonly #authenticate: Authenticate
  readonly #limits: FollowerLimits
  readonly #held = new Map<string, Held>()
  #count = 0

  constructor(authenticate: Authenticate, limits: FollowerLimits = FOLLOWER_LIMITS) {
    this.#authenticate = authenticate
    this.#limits = limits
  }

  /** How many follow the feed in this process. */
  get count(): number {
    return this.#count
  }

  /** Answers what lets go of it. Throws `too_many_requests` when the credential, or the process, holds enough of them. */
  hold(request: CredentialedRequest, end: (code: DenialCode) => void): () => void {
    const kept = keptOf(request)
    const digest = hash('sha256', JSON.stringify(kept), 'base64url')
    const held = this.#held.get(digest) ?? { request: kept, followers: new Set(), asking: false }
    if (held.followers.size >= this.#limits.perCredential)
      throw full(
        `This credential follows the feed ${held.followers.size} times already: give each service its own.`,
      )
    if (this.#count >= this.#limits.inAll)
      throw full('This process serves as many followers of the feed as it can.')
    this.#held.set(digest, held)
    const follower: Ending = { end }
    held.followers.add(follower)
    this.#count++
    return () => {
      if (!held.followers.delete(follower)) return
      this.#count--
      if (held.followers.size === 0) this.#held.delete(digest)
    }
  }

  /** Asks about every credential; a known one costs no I/O. */
  check(): void {
    for (const held of this.#held.values()) if (!held.asking) this.#ask(held)
  }

  #ask(held: Held): void {
    const settle = (answer: Caller | Denial): void => {
      const code = 'valid' in answer ? answer.code : lacksScope(answer) ? 'insufficient_scope' : undefined
      if (code !== undefined) for (const follower of held.followers) follower.end(code)
    }
    try {
      const answer = this.#authenticate(held.request, { kind: 'verifier' })
      if (!(answer instanceof Promise)) return settle(answer)
      held.asking = true
      // A database that cannot be asked ends nothing: the heartbeats stop, and this is asked again in a second.
      answer.then(settle, () => {}).finally(() => (held.asking = false))
    } catch {
      // The same.
    }
  }
}

/** Everything that a verify of the caller looks at, and nothing else of the request stays in memory. */
function keptOf({ headers, ip }: CredentialedRequest): CredentialedRequest {
  const { authorization, origin } = headers
  const site = headers['sec-fetch-site']
  return {
    headers: { authorization, ...(origin && { origin }), ...(site && { 'sec-fetch-site': site }) },
    url: '/v1/feed',
    method: 'GET',
    ip,
  }
}

function lacksScope(caller: Caller): boolean {
  return !caller.scopes.includes('verify')
}

function full(detail: string): PosternError {
  return new PosternError('too_many_requests', detail, { retryAfterSeconds: RETRY_SECONDS })
}
