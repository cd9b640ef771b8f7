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
  readonly answer: Promise<Accepted | Denial>
}

/** A refusal is kept this long: enough to take the edge off a retry loop, too short to hide a new key. */
const MAX_REFUSAL_MS = 1000
const REFUSALS = 1000

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
  recall(digest: string): Accepted | Denial | undefined {
    const accepted = this.#accepted.get(digest)
    if (accepted) return this.#isFresh(accepted) ? accepted : undefined
    const refused = this.#refused.get(digest)
    return refused && this.#isFresh(refused) ? refused.denial : undefined
  }

  /** Asks the server, or joins a question about the same credential. Never rejects. */
  ask(credential: string, digest: string): Promise<Accepted | Denial> {
    const sentAtMs = this.#clock.monotonicMs()
    const pending = this.#asked.get(digest)
    if (pending && sentAtMs < pending.sentAtMs + this.#config.cacheMs) return pending.answer
    if (!this.#budget.take()) {
      this.#warn(
        'Postern: more unknown credentials arrive than asksPerSecond lets through. Callers with new ones get 503.',
      )
      return Promise.resolve(denial('unavailable', { retryAfterSeconds: 1 }))
    }
    const question: Question = { sentAtMs, answer: this.#fetch(credential, digest, sentAtMs) }
    this.#asked.set(digest, question)
    void question.answer.finally(() => {
      if (this.#asked.get(digest) === question) this.#asked.delete(digest)
    })
    return question.answer
  }

  async #fetch(credential: string, digest: string, sentAtMs: number): Promise<Accepted | Denial> {
    const { resource, environment, tenant } = this.#config
    // Without scopes and address: those are the request's, and the answer has to serve the next one too.
    const answer = await askServer(this.#config, { credential, resource, environment, tenant })
    if ('failure' in answer) {
      this.#warn(answer.failure.warning)
      return answer.failure.denial
    }
    const { reply } = answer
    // A later question about the same credential has the newer answer; this one must not overwrite it.
    const isLatest = this.#asked.get(digest)?.sentAtMs === sentAtMs
    if (isLatest) this.#keep(digest, reply, sentAtMs)
    return reply
  }

  #keep(
    digest: string,
    reply: (Accepted & { readonly cacheSeconds: number }) | Denial,
    sentAtMs: number,
  ): void {
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
      if (this.#isFresh({ untilMs })) this.#refused.set(digest, { denial: reply, untilMs })
    }
  }

  #isFresh({ untilMs }: Aging): boolean {
    return this.#clock.monotonicMs() < untilMs
  }
}
