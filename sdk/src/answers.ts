/**
 * What the server said about each credential, for as long as it may be relied on. Three rules keep it honest:
 * an answer ages from the sending of its question, on a clock that never goes back; one question at a time is asked
 * about a credential, and whoever joins it gets an answer no older than a cached one may be; and how often the server
 * is asked is bounded, whoever sends what.
 */
import { askServer } from './ask-server.ts'
import { BoundedCache } from './bounded-cache.ts'
import { Budget } from './budget.ts'
import type { Clock } from './clock.ts'
import type { Constraints } from './constraints.ts'
import { denial, type Denial, type DenialCode } from './denial.ts'
import type { Config } from './options.ts'
import type { Principal } from './principal.ts'
import type { Reply } from './reply.ts'

/** An accepted credential. What a request must satisfy beyond that is in the constraints. */
export interface Accepted {
  readonly valid: true
  readonly principal: Principal
  readonly constraints: Constraints
}

/** Until when an answer may be relied on, by the monotonic clock. */
interface Aging {
  readonly untilMs: number
}

interface Question {
  readonly sentAtMs: number
  /** The answer "not from there" is about this address alone. */
  readonly ip: string | undefined
  readonly answer: Promise<Reply>
}

/** A refusal is kept this long: enough to take the edge off a retry loop, too short to hide a new key. */
const MAX_REFUSAL_MS = 1000
const REFUSALS = 1000

/** What is longer is not an address, and the server takes no more. */
const LONGEST_ADDRESS = 100

/** They tell of the moment or of the server, not of the credential. */
const PASSING: ReadonlySet<DenialCode> = new Set(['unavailable', 'stale', 'rate_limited', 'quota_exceeded'])

export class Answers {
  readonly #config: Config
  readonly #clock: Clock
  readonly #warn: (message: string) => void
  readonly #budget: Budget
  readonly #accepted: BoundedCache<Accepted & Aging>
  readonly #refused = new BoundedCache<{ readonly denial: Denial } & Aging>(REFUSALS)
  readonly #asked = new Map<string, Question>()

  constructor(config: Config, clock: Clock, warn: (message: string) => void) {
    this.#config = config
    this.#clock = clock
    this.#warn = warn
    this.#budget = new Budget(config.asksPerSecond, config.asksPerSecond * 2, clock)
    this.#accepted = new BoundedCache(config.cacheEntries)
  }

  /** What is known without asking, by the credential's digest. */
  recall(digest: string, ip: string | undefined): Accepted | Denial | undefined {
    const accepted = this.#accepted.get(digest)
    if (accepted) return this.#isFresh(accepted) ? accepted : undefined
    const refused = this.#refused.get(digest) ?? this.#refused.get(`${digest} ${ip}`)
    return refused && this.#isFresh(refused) ? refused.denial : undefined
  }

  /** Asks the server, or joins a question about the same credential. Never rejects. */
  async ask(credential: string, digest: string, ip: string | undefined): Promise<Accepted | Denial> {
    const pending = this.#joinable(digest)
    if (!pending) return this.#askAnew(credential, digest, ip)
    const answer = await pending.answer
    if (answer.valid || answer.code !== 'ip_not_allowed' || pending.ip === ip) return answer
    // That one was about another caller's address.
    const next = this.#joinable(digest)
    if (next && next.ip === ip) return next.answer
    return this.recall(digest, ip) ?? this.#askAnew(credential, digest, ip)
  }

  /** A question under way, while its answer is no older than a kept one may be. */
  #joinable(digest: string): Question | undefined {
    const pending = this.#asked.get(digest)
    return pending && this.#isFresh({ untilMs: pending.sentAtMs + this.#config.cacheMs })
      ? pending
      : undefined
  }

  async #askAnew(credential: string, digest: string, ip: string | undefined): Promise<Accepted | Denial> {
    if (!this.#budget.take()) {
      this.#warn(
        'Postern: more unknown credentials arrive than asksPerSecond lets through. Callers with new ones get 503.',
      )
      return denial('unavailable', { retryAfterSeconds: 1 })
    }
    const sentAtMs = this.#clock.monotonicMs()
    const question: Question = { sentAtMs, ip, answer: this.#fetch(credential, ip) }
    this.#asked.set(digest, question)
    const answer = await question.answer
    // A later question about the same credential has the newer answer; this one must not overwrite it.
    if (this.#asked.get(digest) === question) {
      this.#asked.delete(digest)
      this.#keep(digest, answer, question)
    }
    return answer
  }

  async #fetch(credential: string, ip: string | undefined): Promise<Reply> {
    const { resource, environment, tenant } = this.#config
    // Without scopes: the answer has to serve the next request, too. The address is sent since the server refuses a
    // key that is bound to networks without one, and notes from where a key is used.
    const question = { credential, resource, environment, tenant, ip: ip?.slice(0, LONGEST_ADDRESS) }
    const answer = await askServer(this.#config, question)
    if ('reply' in answer) return answer.reply
    this.#warn(answer.failure.warning)
    return answer.failure.denial
  }

  #keep(digest: string, reply: Reply, { sentAtMs, ip }: Question): void {
    this.#accepted.delete(digest)
    this.#refused.delete(digest)
    const { cacheMs } = this.#config
    if (reply.valid) {
      const { principal, constraints } = reply
      const untilMs = sentAtMs + Math.min(cacheMs, reply.cacheSeconds * 1000)
      if (this.#isFresh({ untilMs }))
        this.#accepted.set(digest, { valid: true, principal, constraints, untilMs })
    } else if (!PASSING.has(reply.code)) {
      const untilMs = sentAtMs + Math.min(cacheMs, MAX_REFUSAL_MS)
      const key = reply.code === 'ip_not_allowed' ? `${digest} ${ip}` : digest
      if (this.#isFresh({ untilMs })) this.#refused.set(key, { denial: reply, untilMs })
    }
  }

  #isFresh({ untilMs }: Aging): boolean {
    return this.#clock.monotonicMs() < untilMs
  }
}
