/**
 * The last check of a verify: what the request costs. Leased limits are charged here, the rest by the server, and all of
 * them or none. Whoever is refused for anything else never comes this far.
 */
import type { Answers } from './answers.ts'
import type { Clock } from './clock.ts'
import type { CountedLimit } from './counted-limits.ts'
import { NO_LIMITS, withStates } from './counted-limits.ts'
import type { Credential, Credentials } from './credentials.ts'
import { denial, type Denial } from './denial.ts'
import type { Knowledge } from './feed/knowledge.ts'
import { type LeaseAnswer, type LeaseDecision, LeaseHolder, type LeaseWish } from './leases.ts'
import type { Config } from './options.ts'
import { postJson } from './post-json.ts'
import type { Principal, Result } from './principal.ts'
import type { PresentedProof } from './prove-possession.ts'
import { parseLeases } from './reply.ts'

/** What a charge knows of its request. */
export interface Charged {
  readonly credential: string
  readonly digest: string
  readonly ip: string | undefined
  readonly proof: PresentedProof | undefined
  readonly scopes: readonly string[]
  readonly acrValues: readonly string[] | undefined
  readonly maxAgeSeconds: number | undefined
  readonly cost: number
  readonly route: string
  /** By the server: set here. */
  isCounted: boolean
}

interface Ports {
  readonly answers: Answers
  readonly credentials: Credentials
  readonly knowledge: Knowledge
}

/** Refusals that tell of the moment or of this request, and nothing of the credential. */
const OF_THE_REQUEST: ReadonlySet<string> = new Set([
  'rate_limited',
  'quota_exceeded',
  'unavailable',
  'stale',
  'proof_required',
  'proof_invalid',
  'insufficient_scope',
  'insufficient_authentication',
  'ip_not_allowed',
])

const NONE: readonly string[] = []
/** The message under way may not have the newest wish in it; the next one has. */
const MOST_RENEWALS = 1

export class Charges {
  readonly #ports: Ports
  readonly #clock: Clock
  /** Undefined where nothing runs between two requests: all limits are asked about. */
  readonly #leases: LeaseHolder | undefined

  constructor(config: Config, clock: Clock, ports: Ports) {
    this.#ports = ports
    this.#clock = clock
    if (!config.live) return
    const holder = crypto.randomUUID()
    this.#leases = new LeaseHolder({
      send: (wishes) => sendWishes(config, holder, wishes),
      nowMs: () => clock.monotonicMs(),
      after: (ms, act) => clock.after(ms, act),
    })
  }

  /** Charges `known.limits`, which are not empty. */
  charge(known: Credential, request: Charged): Result | Promise<Result> {
    const { cost } = request
    if (cost === 0) return known.principal
    const leases = this.#leases
    if (!leases) return this.#ask(known, request, NONE)
    const decision = leases.decide(known.limits, cost, this.#clock.monotonicMs())
    if (decision.kind === 'admitted') return known.principal
    if (decision.kind === 'refused') return this.#refusedHere(known.limits, decision.bucket)
    if (!decision.isPending) return this.#askForRest(known, request, leases, decision)
    leases.refund(decision, cost)
    return this.#whenLeased(known, request, leases)
  }

  /** What is known of the limits that a result fell under: for its answer's headers. */
  limitsOf(result: Result): readonly CountedLimit[] {
    const limits = result.valid ? this.#ports.credentials.limitsOf(result as Principal) : result.limits
    return limits === undefined || limits.length === 0 ? NO_LIMITS : this.#asOfNow(limits as CountedLimit[])
  }

  stop(): Promise<void> {
    return this.#leases?.stop() ?? Promise.resolve()
  }

  /**
   * A busy caller's requests that come before its lease wait for that one, instead of asking one by one: a server that
   * is slow to answer would be slower for it, and so would leases.
   */
  async #whenLeased(known: Credential, request: Charged, leases: LeaseHolder): Promise<Result> {
    const { limits } = known
    for (let renewals = 0; ; renewals++) {
      if (!(await leases.renew())) return denial('unavailable', { retryAfterSeconds: 1 })
      const decision = leases.decide(limits, request.cost, this.#clock.monotonicMs(), true)
      if (decision.kind === 'admitted') return known.principal
      if (decision.kind === 'refused') return this.#refusedHere(limits, decision.bucket)
      if (!decision.isPending || renewals === MOST_RENEWALS)
        return this.#askForRest(known, request, leases, decision)
      leases.refund(decision, request.cost)
    }
  }

  async #askForRest(
    known: Credential,
    request: Charged,
    leases: LeaseHolder,
    decision: Extract<LeaseDecision, { kind: 'ask' }>,
  ): Promise<Result> {
    const result = await this.#ask(known, request, decision.reserved)
    if (!result.valid) leases.refund(decision, request.cost)
    return result
  }

  /** Never joined with another question, as each request costs something, and never kept. */
  async #ask(known: Credential, request: Charged, reserved: readonly string[]): Promise<Result> {
    const { answers, credentials, knowledge } = this.#ports
    const reply = await answers.charge(request, reserved)
    if (!('fromServer' in reply)) return reply
    request.isCounted = true
    if (!reply.valid) {
      if (!OF_THE_REQUEST.has(reply.code)) credentials.drop(request.digest)
      return reply
    }
    if (knowledge.rows.hasEnded(known.prints)) return denial('revoked')
    // The answer is older than what is known here, and cannot be asked for again without costing twice.
    if (reply.asOf >= 0 && knowledge.rows.touchedSince(known.prints, reply.asOf))
      return denial('unavailable', { retryAfterSeconds: 1 })
    const limits = withStates(known.limits, reply.limits)
    if (limits) known.limits = limits
    // They have changed, and the row that says so is on its way.
    else credentials.drop(request.digest)
    return known.principal
  }

  #refusedHere(limits: readonly CountedLimit[], bucket: string): Denial {
    const type = limits.find((limit) => limit.bucket === bucket)?.type
    // More may be leased by then.
    return denial(type === 'quota' ? 'quota_exceeded' : 'rate_limited', { retryAfterSeconds: 1, limits })
  }

  /** Of a leased limit this process knows its slice: so much is left here at least, and until when nobody knows. */
  #asOfNow(limits: readonly CountedLimit[]): readonly CountedLimit[] {
    const nowMs = this.#clock.monotonicMs()
    return limits.map((limit) => {
      const left = limit.enforcement === 'leased' ? this.#leases?.left(limit.bucket, nowMs) : undefined
      return left === undefined ? limit : { ...limit, remaining: left, resetSeconds: undefined }
    })
  }
}

async function sendWishes(
  config: Config,
  holder: string,
  buckets: readonly LeaseWish[],
): Promise<readonly LeaseAnswer[]> {
  return parseLeases(await postJson(config, '/v1/limits/leases', { holder, buckets }))
}
