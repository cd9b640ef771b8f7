/**
 * Credentials that were found good, by their digest, bounded. An entry says what was true at its position; a row of the
 * feed after that which touches it ends it, and `cache_seconds` ends it in any case.
 */
import { BoundedCache } from './bounded-cache.ts'
import type { Constraints } from './constraints.ts'
import type { CountedLimit } from './counted-limits.ts'
import type { Knowledge } from './feed/knowledge.ts'
import type { Principal } from './principal.ts'
import type { UsageCell } from './usage.ts'

export interface Credential {
  readonly valid: true
  readonly principal: Principal
  /** What a request must satisfy beyond coming with this credential. */
  readonly constraints: Constraints
  /** What its requests are charged to, with the state that the server told last. */
  limits: readonly CountedLimit[]
  /** Under which id its use is counted: the key, also of a token that descends from one, else its grant or session. */
  readonly usedAs: string
  /** Where its use is counted just now. */
  cell: UsageCell | undefined
  /** Of everything it depends on. */
  readonly prints: string
  /** Nothing up to here in the feed speaks against it. */
  position: number
  /** The state of the table of rows at which that was last found. */
  revision: number
  /** The hard end, by the monotonic clock. */
  readonly untilMs: number
  /** The end where the feed does not vouch for it. */
  readonly aloneUntilMs: number
}

export class Credentials {
  readonly #known: BoundedCache<Credential>
  readonly #knowledge: Knowledge
  /** Those that have limits, by what was answered for them. */
  readonly #limited = new WeakMap<Principal, Credential>()

  constructor(capacity: number, knowledge: Knowledge) {
    this.#known = new BoundedCache(capacity)
    this.#knowledge = knowledge
  }

  get size(): number {
    return this.#known.size
  }

  get(digest: string): Credential | undefined {
    return this.#known.get(digest)
  }

  keep(digest: string, credential: Credential): void {
    this.#known.set(digest, credential)
  }

  /** Notes what has limits, whether it is kept or not. */
  noteLimits(credential: Credential): void {
    if (credential.limits.length > 0) this.#limited.set(credential.principal, credential)
  }

  limitsOf(principal: Principal): readonly CountedLimit[] | undefined {
    return this.#limited.get(principal)?.limits
  }

  drop(digest: string): void {
    this.#known.delete(digest)
  }

  clear(): void {
    this.#known.clear()
  }

  /** Whether no row that is known here touches it. Where that is no longer known in full, it counts as touched. */
  isUntouched(credential: Credential): boolean {
    const { rows, position, knownFrom } = this.#knowledge
    if (credential.revision === rows.revision) return true
    if (credential.position < knownFrom || credential.position < rows.droppedUpTo) return false
    if (rows.touchedSince(credential.prints, credential.position)) return false
    credential.position = Math.max(credential.position, position)
    credential.revision = rows.revision
    return true
  }
}
