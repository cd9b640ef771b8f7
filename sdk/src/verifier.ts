/** `verify()`: a request or a credential in, a Principal or a Denial out. What is known here costs no wait. */
import { Answers } from './answers.ts'
import { Charges } from './charges.ts'
import type { Clock } from './clock.ts'
import { brokenAfterProof, brokenBeforeProof, type Circumstances } from './constraints.ts'
import { Counters } from './counters.ts'
import { type Credential, Credentials } from './credentials.ts'
import { denial, type Denial, type DenialCode } from './denial.ts'
import { digestOf } from './digest.ts'
import { type FeedState, Knowledge } from './feed/knowledge.ts'
import { feedFor } from './feed/shared-feeds.ts'
import { hasTypo, isCredentialText, MAX_CREDENTIAL_LENGTH } from './key-format.ts'
import { observed } from './observe-decisions.ts'
import type { Config } from './options.ts'
import { type DpopCredential, presentedCredential, type CredentialRequest } from './presented.ts'
import type { Result } from './principal.ts'
import { concernsProof, type PresentedProof, provePossession } from './prove-possession.ts'
import type { LimitState } from './rate-limit-headers.ts'
import { exposureReporter } from './report-exposure.ts'
import { looksLikeJwt } from './tokens/compact-jws.ts'
import { judgeToken, type TokenJudge } from './tokens/judge-token.ts'
import { SeenProofs } from './tokens/seen-proofs.ts'
import { exposedCredential } from './url-exposure.ts'
import { routeName, UseMeter } from './use-meter.ts'
import { quietWarnings } from './warnings.ts'

/**
 * What a route wants when the feed has been silent for more than 30 seconds. `introspect`: the server is asked, and its
 * answer kept for `cacheSeconds`. `closed`: nobody gets in. `open`: whoever is known here does, until the credential's own
 * end; an end that the server has not been able to tell does not count.
 */
export type WhenDegraded = 'introspect' | 'closed' | 'open'

export interface VerifyOptions {
  /** All of them are needed. Default: none. */
  readonly scopes?: string | readonly string[]
  /** The caller's address. Without it, a credential that is bound to networks is refused. */
  readonly ip?: string | undefined
  /** Default `introspect`. */
  readonly whenDegraded?: WhenDegraded | undefined
  /** The user signed in by one of these (RFC 9470); absent or empty: however they did. */
  readonly acrValues?: readonly string[] | undefined
  /** The user signed in no longer ago than this. */
  readonly maxAgeSeconds?: number | undefined
  /**
   * The access token behind a session's cookie, which the adapters find with their option `session`. A credential in a
   * header beside it is `multiple_credentials`.
   */
  readonly sessionToken?: string | undefined
  /** What the request costs the caller's limits, 0 to 1,000,000. Default 1. */
  readonly cost?: number | undefined
  /** The called route's pattern or name (`GET /orders/:id`), never its path: usage is counted by it. */
  readonly route?: string | undefined
}

/** What a verifier knows and has counted. */
export interface VerifierStatus {
  /** `live` (current within three seconds), `stale` (thirty), `degraded`, `boot` before the first contact, or `off`. */
  readonly state: FeedState
  /** How old what is known of the feed may be; Infinity before the first contact. */
  readonly lagMs: number
  /** The feed's position. */
  readonly position: number
  /** Rows in force, and the bytes that they take. */
  readonly denyRows: number
  readonly denyBytes: number
  readonly cachedCredentials: number
  /** Verifies answered from what was known of the credential, and all others. */
  readonly hits: number
  readonly misses: number
  /** Questions to the server that these led to. */
  readonly asked: number
  readonly denials: Readonly<{ [code in DenialCode]?: number }>
}

export interface Verifier {
  /** The URI of the API that this verifier answers for. */
  readonly resource: string
  /**
   * Checks the one credential in `request`, or a credential's bare text, and answers a Principal or a Denial.
   *
   * The answer is a value when it is known here, and a Promise when the server has to be asked; `await` takes both.
   * It never throws and never rejects because of what a caller sent or because the server is away: that is the Denial
   * `unavailable`. With a bare credential there is no URL and no header to look at, so that `exposed_in_url`,
   * `exposed_in_browser` and `multiple_credentials` cannot be found out, and no proof of possession.
   *
   * The caller's limits are the last check, and what is refused for anything else costs nothing. Limits that are
   * `leased` are decided here, as a rule; of others the server is asked for each request.
   *
   * Not checked here: whether the request's body is what it should be. Throws a TypeError for a `cost` that is none.
   */
  verify(request: CredentialRequest | string, options?: VerifyOptions): Result | Promise<Result>
  /** What the limits of a result's caller are at: for `rateLimitHeaders()`. Empty where there are none. */
  limitsOf(result: Result): readonly LimitState[]
  status(): VerifierStatus
  /**
   * Connects, if that has not happened yet, and resolves when the feed is live; false when it is not within
   * `timeoutMs` (default 5 seconds) or there is none. Nobody has to wait for it: until then the server is asked.
   */
  ready(timeoutMs?: number): Promise<boolean>
  /**
   * Ends the connection to the feed, gives leases back and reports the usage that is left: resolves when the server has
   * taken both, or could not be reached. Verifies go on as if the feed were switched off.
   */
  close(): Promise<void>
}

const NO_SCOPES: readonly string[] = []
const NO_OPTIONS: VerifyOptions = {}

/** The verifier itself, after its options were read; `clock` is passed in for the tests. */
export function buildVerifier(config: Config, clock: Clock): Verifier {
  const warn = quietWarnings(config.onWarning, clock)
  const feed = config.live ? feedFor(config, clock) : undefined
  const knowledge = feed?.knowledge ?? new Knowledge(clock)
  const credentials = new Credentials(config.cacheEntries, knowledge)
  const answers = new Answers(config, clock, warn, { knowledge, credentials })
  const charges = new Charges(config, clock, { answers, credentials, knowledge })
  const meter = new UseMeter(config, clock, warn)
  const report = exposureReporter(config, clock)
  const counters = new Counters()
  const judge = tokenJudge()
  const seenProofs = new SeenProofs()
  const waiting = new Set<() => void>()
  let unfollow: (() => void) | undefined
  let isClosed = false

  function verify(
    request: CredentialRequest | string,
    options: VerifyOptions = NO_OPTIONS,
  ): Result | Promise<Result> {
    if (unfollow === undefined) follow()
    const presented =
      typeof request === 'string' ? bareCredential(request) : readRequest(request, options.sessionToken)
    if (typeof presented !== 'string' && 'valid' in presented) return refusedEarly(presented, options)
    const credential = typeof presented === 'string' ? presented : presented.token
    const proof = typeof presented === 'string' ? undefined : proofOf(presented, request as CredentialRequest)
    if (proof && 'valid' in proof) return refusedEarly(proof, options)
    const asked: Asked = {
      credential,
      proof,
      ip: options.ip,
      request: typeof request === 'string' ? undefined : request,
      scopes: scopeList(options.scopes),
      environment: config.environment,
      acrValues: options.acrValues,
      maxAgeSeconds: options.maxAgeSeconds,
      whenDegraded: options.whenDegraded,
      cost: options.cost === undefined ? 1 : checkedCost(options.cost),
      route: routeName(options.route),
      digest: '',
      known: undefined,
      isCharged: false,
      isCounted: false,
    }
    const digest = digestOf(credential)
    const result =
      typeof digest === 'string' ? decide(asked, digest) : digest.then((digest) => decide(asked, digest))
    return result instanceof Promise ? result.then((result) => note(result, asked)) : note(result, asked)
  }

  function note(result: Result, asked: Asked): Result {
    if (!asked.isCounted) meter.note(result, asked.known, asked)
    return counters.note(result)
  }

  function refusedEarly(refused: Denial, { ip, route, scopes }: VerifyOptions): Denial {
    meter.note(refused, undefined, { ip, route: routeName(route), scopes: scopeList(scopes) })
    counters.note(refused)
    return refused
  }

  function readRequest(request: CredentialRequest, sessionToken?: string): string | DpopCredential | Denial {
    const presented = presentedCredential(request, config.legacyHeader, sessionToken)
    const url = request.url ?? ''
    const text =
      typeof presented === 'string' ? presented : 'token' in presented ? presented.token : undefined
    const exposed = exposedCredential(url, text)
    if (exposed === undefined) return presented
    void report(exposed, url)
    return denial('exposed_in_url')
  }

  /** A proof is for a method and a URL. Of the request's URL only the path counts: callers write the rest. */
  function proofOf(
    { dpop }: DpopCredential,
    { method, url = '' }: CredentialRequest,
  ): PresentedProof | Denial {
    const { publicUrl } = config
    if (publicUrl !== undefined && method)
      return { dpop, method, url: `${publicUrl}${url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')}` }
    // Nobody could say what the proof is for.
    warn(
      'Postern: a DPoP proof was refused because it is not known what it is for. ' +
        (publicUrl === undefined
          ? 'Give createVerifier a publicUrl.'
          : "Give verify() the request's method."),
    )
    return denial('proof_invalid')
  }

  function decide(asked: Asked, digest: string): Result | Promise<Result> {
    asked.digest = digest
    const nowMs = clock.monotonicMs()
    const byFeed = nowMs < knowledge.servesUntilMs
    if (!byFeed && asked.whenDegraded !== undefined && isDegraded(nowMs))
      return decideDegraded(asked, digest, nowMs)
    const known = recall(digest, nowMs, byFeed)
    if (known) return known.valid ? judgeRequest(known, asked, nowMs) : known
    return decideAnew(asked, digest, byFeed)
  }

  function decideDegraded(asked: Asked, digest: string, nowMs: number): Result | Promise<Result> {
    if (asked.whenDegraded === 'closed') return denial('stale', { retryAfterSeconds: 1 })
    const byFeed = asked.whenDegraded === 'open'
    const known = recall(digest, nowMs, byFeed)
    if (known) return known.valid ? judgeRequest(known, asked, nowMs) : known
    return decideAnew(asked, digest, byFeed)
  }

  /** What is known of the credential and may be relied on: by the word of the feed, or for a short while without it. */
  function recall(digest: string, nowMs: number, byFeed: boolean): Credential | Denial | undefined {
    const known = credentials.get(digest)
    if (known === undefined) return undefined
    if (!credentials.isUntouched(known)) {
      credentials.drop(digest)
      return knowledge.rows.hasEnded(known.prints) ? denial('revoked') : undefined
    }
    if (nowMs >= (byFeed ? known.untilMs : known.aloneUntilMs)) return undefined
    counters.hits++
    return known
  }

  function decideAnew(asked: Asked, digest: string, byFeed: boolean): Result | Promise<Result> {
    const { credential, ip } = asked
    const refused = answers.recallRefusal(digest, ip)
    if (refused) {
      counters.hits++
      return refused
    }
    counters.misses++
    // After the look-up: a known credential has proved its form.
    if (!isCredentialText(credential) || hasTypo(credential)) return denial('malformed')
    if (!byFeed || !looksLikeJwt(credential)) return ask(asked, digest)
    const judged = judgeToken(judge, credential)
    const settle = (judged: Credential | Denial | 'ask') => {
      if (judged === 'ask') return ask(asked, digest)
      if (!judged.valid) return judged
      credentials.keep(digest, judged)
      return judgeRequest(judged, asked, clock.monotonicMs())
    }
    return judged instanceof Promise ? judged.then(settle) : settle(judged)
  }

  async function ask(asked: Asked, digest: string): Promise<Result> {
    counters.asked++
    const { credential, ip, proof, cost, route } = asked
    const charge = proof && { cost, route }
    const answer = await answers.ask({ credential, digest, ip, proof, charge })
    asked.isCharged = charge !== undefined
    // Refusals of what only it knows, it counts; all else, where this process reports nothing.
    asked.isCounted = asked.isCharged || !config.usage || (!answer.valid && answer.code !== 'unavailable')
    return answer.valid ? judgeRequest(answer, asked, clock.monotonicMs()) : answer
  }

  function judgeRequest(known: Credential, asked: Asked, monotonicMs: number): Result | Promise<Result> {
    asked.known = known
    const nowMs = knowledge.wallMs(monotonicMs)
    const before = brokenBeforeProof(known, asked, nowMs)
    if (before !== undefined) return refuse(before, asked)
    if (!concernsProof(known, asked.proof)) return judgeProven(known, asked, nowMs)
    return provePossession(known, asked.credential, asked.proof, { nowMs, seenProofs }).then(
      (refused) => refused ?? judgeProven(known, asked, nowMs),
    )
  }

  function judgeProven(known: Credential, asked: Asked, nowMs: number): Result | Promise<Result> {
    const after = brokenAfterProof(known, asked, nowMs)
    if (after !== undefined) return refuse(after, asked)
    // What came with a proof that the server had to judge was charged with the same question.
    return known.limits.length === 0 || asked.isCharged ? known.principal : charges.charge(known, asked)
  }

  function refuse(code: DenialCode, { ip, scopes, acrValues, maxAgeSeconds }: Asked): Denial {
    if (code === 'ip_not_allowed' && ip === undefined)
      warn(
        "Postern: a credential that is bound to networks was refused because the caller's address is not known. " +
          'Give verify() an ip, or the adapter a clientIp function.',
      )
    if (code === 'insufficient_scope') return denial(code, { scopes })
    if (code !== 'insufficient_authentication') return denial(code)
    return denial(code, {
      ...(acrValues?.length && { acrValues }),
      ...(maxAgeSeconds !== undefined && { maxAgeSeconds }),
    })
  }

  function isDegraded(nowMs: number): boolean {
    return knowledge.state(nowMs) === 'degraded'
  }

  function tokenJudge(): TokenJudge {
    return {
      knowledge,
      resource: config.resource,
      tenant: config.tenant,
      longestMs: config.liveCacheMs,
      monotonicMs: () => clock.monotonicMs(),
      seekKeys: () => feed?.seekKeys(),
      onPositionAhead: (kid) =>
        warn(
          `Postern: a token of signing key ${kid} claims a position that the feed cannot have reached, and is refused. ` +
            'The key may be stolen, or the database was restored from an old copy.',
        ),
    }
  }

  /** At the first verify, and not before: a module that is merely loaded, by a build for one, connects to nobody. */
  function follow(): void {
    if (!feed || isClosed) {
      unfollow = () => {}
      return
    }
    const stopListening = knowledge.onGap(() => credentials.clear())
    const stopFollowing = feed.follow({
      onState: changed,
      onWarning: warn,
    })
    unfollow = () => {
      stopListening()
      stopFollowing()
    }
  }

  function changed(state: FeedState, previous: FeedState): void {
    if (state === 'live') for (const resolve of waiting) resolve()
    try {
      config.onStateChange(state, previous)
    } catch {
      // A broken listener is not a reason to lose the feed.
    }
  }

  function state(): FeedState {
    return feed && !isClosed ? knowledge.state(clock.monotonicMs()) : 'off'
  }

  return {
    resource: config.resource,
    verify: observed(verify, config.onDecision),
    limitsOf: (result) => charges.limitsOf(result),
    status() {
      const { rows, position } = knowledge
      return {
        state: state(),
        lagMs: Math.max(0, knowledge.ageMs(clock.monotonicMs())),
        position,
        denyRows: rows.size,
        denyBytes: rows.bytes,
        cachedCredentials: credentials.size,
        hits: counters.hits,
        misses: counters.misses,
        asked: counters.asked,
        denials: { ...counters.denials },
      }
    },
    ready(timeoutMs = 5000) {
      if (unfollow === undefined) follow()
      if (!feed || isClosed || state() === 'live') return Promise.resolve(state() === 'live')
      return new Promise((resolve) => {
        const settle = () => {
          waiting.delete(settle)
          cancel()
          resolve(state() === 'live')
        }
        const cancel = clock.after(timeoutMs, settle, 'awaited')
        waiting.add(settle)
      })
    },
    async close() {
      if (isClosed) return
      isClosed = true
      unfollow?.()
      credentials.clear()
      for (const resolve of waiting) resolve()
      await Promise.all([charges.stop(), meter.stop()])
    },
  }
}

/** One request: what it presents, and what its route asks. */
interface Asked extends Circumstances {
  readonly credential: string
  readonly proof: PresentedProof | undefined
  readonly whenDegraded: WhenDegraded | undefined
  readonly cost: number
  readonly route: string
  /** Of the credential. */
  digest: string
  /** Whose request it is, once that is found out. */
  known: Credential | undefined
  isCharged: boolean
  /** By the server. */
  isCounted: boolean
}

const LARGEST_COST = 1_000_000

/** Another number would break the accounts of a limit. */
function checkedCost(cost: number): number {
  if (Number.isInteger(cost) && cost >= 0 && cost <= LARGEST_COST) return cost
  throw new TypeError(`cost must be a whole number from 0 to ${LARGEST_COST}.`)
}

function bareCredential(text: string): string | Denial {
  if (text === '') return denial('missing')
  return text.length > MAX_CREDENTIAL_LENGTH ? denial('malformed') : text
}

function scopeList(scopes: string | readonly string[] | undefined): readonly string[] {
  return typeof scopes === 'string' ? [scopes] : (scopes ?? NO_SCOPES)
}
