/**
 * What the server says about each credential that cannot be judged here. Three rules keep it honest: an answer ages from
 * the sending of its question, on a clock that never goes back; one question at a time is asked about a credential, and
 * whoever joins it gets an answer no older than a kept one may be; and how often the server is asked is bounded, whoever
 * sends what.
 *
 * With the feed there is a fourth: an answer says what was true at its `as_of`. If a row that is known here came after
 * that and touches it, the answer is not kept, and not given either: the question is asked again.
 */
import { askServer } from './ask-server.ts'
import { BoundedCache } from './bounded-cache.ts'
import { Budget } from './budget.ts'
import type { Clock } from './clock.ts'
import type { Credential, Credentials } from './credentials.ts'
import { denial, type Denial, type DenialCode } from './denial.ts'
import type { Knowledge } from './feed/knowledge.ts'
import type { Config } from './options.ts'
import type { Principal } from './principal.ts'
import { refsOfPrincipal } from './refs.ts'
import type { PositiveReply, Reply } from './reply.ts'

export interface Question {
  readonly credential: string
  readonly digest: string
  readonly ip: string | undefined
  /** With a token that came with a DPoP proof: what only the server can judge of it yet. */
  readonly proof?: Proof | undefined
  /** With a proof, which is good for one question: what the request costs, so that this is all that is asked. */
  readonly charge?: { readonly cost: number; readonly route: string } | undefined
}

interface Proof {
  readonly dpop: string
  readonly method: string
  readonly url: string
}

/** What is asked about a known credential's limits. */
export interface ChargeQuestion {
  readonly credential: string
  readonly ip: string | undefined
  readonly proof: Proof | undefined
  readonly scopes: readonly string[]
  readonly acrValues: readonly string[] | undefined
  readonly maxAgeSeconds: number | undefined
  readonly cost: number
  readonly route: string
  /** An earlier question about the same request was. */
  readonly isCounted: boolean
}

/** Said by the server, and not by whoever could not reach it. */
export type ChargeReply =
  | (PositiveReply & { readonly fromServer: true })
  | (Denial & { readonly fromServer?: true })

/** Until when a refusal may be relied on, by the monotonic clock. */
interface Refused {
  readonly denial: Denial
  readonly untilMs: number
}

interface Pending {
  readonly sentAtMs: number
  /** The answer "not from there" is about this address alone. */
  readonly ip: string | undefined
  readonly answer: Promise<Credential | Denial>
}

/** A refusal is kept this long: enough to take the edge off a retry loop, too short to hide a new key. */
const MAX_REFUSAL_MS = 1000
const REFUSALS = 1000

/** What is longer is not an address, and the server takes no more. */
const LONGEST_ADDRESS = 100

/** They tell of the moment, of the server or of one proof, not of the credential. */
const PASSING: ReadonlySet<DenialCode> = new Set([
  'unavailable',
  'stale',
  'rate_limited',
  'quota_exceeded',
  'proof_required',
  'proof_invalid',
])

/** The position of an answer that does not say it: below every row. */
const UNKNOWN = 0

/** Before each further attempt when the answer is older than what is known here: another node may be a moment behind. */
const ASK_AGAIN_AFTER_MS = [0, 300] as const

export class Answers {
  readonly #config: Config
  readonly #clock: Clock
  readonly #warn: (message: string) => void
  readonly #knowledge: Knowledge
  readonly #credentials: Credentials
  readonly #budget: Budget
  readonly #refused = new BoundedCache<Refused>(REFUSALS)
  readonly #asked = new Map<string, Pending>()

  constructor(
    config: Config,
    clock: Clock,
    warn: (message: string) => void,
    { knowledge, credentials }: { readonly knowledge: Knowledge; readonly credentials: Credentials },
  ) {
    this.#config = config
    this.#clock = clock
    this.#warn = warn
    this.#knowledge = knowledge
    this.#credentials = credentials
    this.#budget = new Budget(config.asksPerSecond, config.asksPerSecond * 2, clock)
  }

  /** A refusal that is known without asking. */
  recallRefusal(digest: string, ip: string | undefined): Denial | undefined {
    const refused = this.#refused.get(digest) ?? this.#refused.get(`${digest} ${ip}`)
    return refused && this.#clock.monotonicMs() < refused.untilMs ? refused.denial : undefined
  }

  /** Asks the server, or joins a question about the same credential. Never rejects. */
  async ask(question: Question): Promise<Credential | Denial> {
    // What is said about one proof is no answer to another.
    if (question.proof) return this.#askAnew(question)
    const { digest, ip } = question
    const pending = this.#joinable(digest)
    if (!pending) return this.#askAnew(question)
    const answer = await pending.answer
    if (answer.valid || answer.code !== 'ip_not_allowed' || pending.ip === ip) return answer
    // That one was about another caller's address.
    const next = this.#joinable(digest)
    if (next && next.ip === ip) return next.answer
    return this.recallRefusal(digest, ip) ?? this.#askAnew(question)
  }

  /** A question under way, while its answer is no older than a kept one may be. */
  #joinable(digest: string): Pending | undefined {
    const pending = this.#asked.get(digest)
    return pending && this.#clock.monotonicMs() < pending.sentAtMs + this.#config.cacheMs
      ? pending
      : undefined
  }

  async #askAnew(question: Question): Promise<Credential | Denial> {
    const { digest, ip, proof } = question
    if (proof) return this.#askUntilCurrent(question, () => true)
    const sentAtMs = this.#clock.monotonicMs()
    // A later question about the same credential has the newer answer; an earlier one must not overwrite it.
    const isLatest = () => this.#asked.get(digest) === pending
    const pending: Pending = { sentAtMs, ip, answer: this.#askUntilCurrent(question, isLatest) }
    this.#asked.set(digest, pending)
    const answer = await pending.answer
    if (isLatest()) this.#asked.delete(digest)
    return answer
  }

  async #askUntilCurrent(question: Question, isLatest: () => boolean): Promise<Credential | Denial> {
    const { rows } = this.#knowledge
    for (const pauseMs of [...ASK_AGAIN_AFTER_MS, undefined]) {
      const answer = await this.#askOnce(question, isLatest)
      if (!answer.valid) return answer
      // However new the answer: a restored database has forgotten ends that are known here.
      if (rows.hasEnded(answer.prints)) return denial('revoked')
      if (answer.position === UNKNOWN || !rows.touchedSince(answer.prints, answer.position)) return answer
      // A proof is good for one question.
      if (question.proof) break
      if (pauseMs) await new Promise<void>((resolve) => this.#clock.after(pauseMs, resolve, 'awaited'))
    }
    return denial('unavailable', { retryAfterSeconds: 1 })
  }

  async #askOnce(question: Question, isLatest: () => boolean): Promise<Credential | Denial> {
    if (!this.#budget.take()) {
      this.#warn(
        'Postern: more unknown credentials arrive than asksPerSecond lets through. Callers with new ones get 503.',
      )
      return denial('unavailable', { retryAfterSeconds: 1 })
    }
    const sentAtMs = this.#clock.monotonicMs()
    const { generation } = this.#knowledge
    const reply = await this.#fetch(question)
    if (!reply.valid) {
      if (isLatest()) this.#keepRefusal(reply, question, sentAtMs)
      return reply
    }
    const credential = this.#credentialOf(reply, sentAtMs)
    if (isLatest()) this.#keep(credential, question, generation)
    return credential
  }

  /**
   * Charges a request of a known credential to its limits, but for those that were `reserved`. Never joined and never
   * kept. Not held to `asksPerSecond`: only good credentials come so far.
   */
  async charge(request: ChargeQuestion, reserved: readonly string[]): Promise<ChargeReply> {
    const { scopes, acrValues, maxAgeSeconds, cost, route, isCounted } = request
    const answer = await askServer(this.#config, {
      ...this.#about(request),
      ...request.proof,
      ...(scopes.length > 0 && { scopes }),
      ...(acrValues?.length && { acr_values: acrValues }),
      max_age: maxAgeSeconds,
      cost,
      route,
      ...(isCounted && { count: false }),
      ...(reserved.length > 0 && { reserved }),
    })
    if ('reply' in answer) return { ...answer.reply, fromServer: true }
    this.#warn(answer.failure.warning)
    return answer.failure.denial
  }

  async #fetch(question: Question): Promise<Reply> {
    const { proof, charge } = question
    // Without scopes: the answer has to serve the next request, too. And without costing anything: what this request
    // does is judged first, and whoever joins the question costs as much again.
    const words = charge ?? { cost: 0, ...(this.#config.usage && { count: false }) }
    const answer = await askServer(this.#config, { ...this.#about(question), ...words, ...proof })
    if ('reply' in answer) return answer.reply
    this.#warn(answer.failure.warning)
    return answer.failure.denial
  }

  /**
   * The address is sent since the server refuses a key that is bound to networks without one, and notes from where a key
   * is used.
   */
  #about({ credential, ip }: Pick<Question, 'credential' | 'ip'>) {
    const { resource, environment, tenant } = this.#config
    return { credential, resource, environment, tenant, ip: ip?.slice(0, LONGEST_ADDRESS) }
  }

  #credentialOf(reply: PositiveReply, sentAtMs: number): Credential {
    const { principal, constraints, cacheSeconds, asOf, refs, limits } = reply
    const { cacheMs, liveCacheMs, live } = this.#config
    const aloneUntilMs = sentAtMs + Math.min(cacheMs, cacheSeconds * 1000)
    // Without the server's word for what it depends on, what the Principal shows is not all of it.
    const isTraced = refs !== undefined && asOf >= 0
    const credential: Credential = {
      valid: true,
      principal,
      constraints,
      limits,
      usedAs: usedAs(principal, refs ?? []),
      cell: undefined,
      prints: this.#knowledge.rows.fingerprintsOf(live ? (refs ?? refsOfPrincipal(principal)) : []),
      position: asOf < 0 ? UNKNOWN : asOf,
      revision: -1,
      untilMs: isTraced ? sentAtMs + Math.min(liveCacheMs, cacheSeconds * 1000) : aloneUntilMs,
      aloneUntilMs,
    }
    this.#credentials.noteLimits(credential)
    return credential
  }

  #keep(credential: Credential, { digest }: Question, generation: number): void {
    this.#credentials.drop(digest)
    this.#refused.delete(digest)
    // Rows may have been missed since the question was sent: the answer is good for this one request.
    if (generation !== this.#knowledge.generation) return
    const endMs = Math.max(credential.untilMs, credential.aloneUntilMs)
    const { rows } = this.#knowledge
    if (
      this.#clock.monotonicMs() < endMs &&
      !rows.hasEnded(credential.prints) &&
      this.#credentials.isUntouched(credential)
    )
      this.#credentials.keep(digest, credential)
  }

  #keepRefusal(refusal: Denial, { digest, ip }: Question, sentAtMs: number): void {
    this.#credentials.drop(digest)
    if (PASSING.has(refusal.code)) return
    const untilMs = sentAtMs + Math.min(this.#config.cacheMs, MAX_REFUSAL_MS)
    const key = refusal.code === 'ip_not_allowed' ? `${digest} ${ip}` : digest
    if (this.#clock.monotonicMs() < untilMs) this.#refused.set(key, { denial: refusal, untilMs })
  }
}

/** As the server counts it. */
function usedAs({ credential, grantId, sessionId }: Principal, refs: readonly string[]): string {
  if (credential.type === 'api_key') return credential.id
  const key = refs.find((ref) => ref.startsWith('api_key:'))
  return key?.slice('api_key:'.length) ?? grantId ?? sessionId ?? ''
}
