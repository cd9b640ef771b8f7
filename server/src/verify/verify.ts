/**
 * The hot path: credential → Principal or Denial. Known credentials are answered synchronously, with no database read;
 * first sight costs two, of the credential and of its limits. Nothing here waits for a write.
 */
import { hash } from 'node:crypto'
import {
  type Clock,
  denial,
  type Denial,
  isOpaqueToken,
  keysInUrl,
  MANAGEMENT_URI,
  PosternError,
  type Presented,
} from '../kernel/index.ts'
import {
  findPresentedKey,
  hasKeyForm,
  parseKey,
  type Peppers,
  type PresentedKey,
  resemblesKey,
} from '../api-keys/index.ts'
import type { BoundLimit, LimitDecision, LimitsOf, LimitState } from '../limits/index.ts'
import { type FeedReader, OLDEST_READING_MS } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import { type Circumstances, firstDenial } from './checks.ts'
import { replyOf } from './compose-reply.ts'
import { CredentialCache } from './credential-cache.ts'
import { SeenProofs } from './seen-proofs.ts'
import type { VerifyRequest } from './verify-request.ts'

/** A decision, before it is dressed for whoever asked. */
export interface Decision {
  readonly denial: Denial | undefined
  /** Whose credential it was, if one was proven: for the meters, also of a refusal. */
  readonly presented: Proven | undefined
  /** What a valid one answers, as text without the closing brace: see `replyOf`. */
  readonly reply: string
  readonly asOf: number
  /** What its limits are at, when they were charged. */
  readonly limits?: readonly LimitState[]
}

/** A key or a token; what only keys have is absent from the other. */
export type Proven = Presented &
  Partial<Pick<PresentedKey, 'boundResources' | 'rehash'>> & { readonly limits?: readonly BoundLimit[] }

/** Sessions of browsers, which the gateway knows. */
export interface SessionFinder {
  isSession(text: string): boolean
  find(text: string, asked: Pick<VerifyRequest, 'resource' | 'tenant' | 'ip'>): Promise<Presented | Denial>
}

export interface VerifierPorts {
  readonly storage: Storage
  readonly peppers: Peppers
  readonly feed: FeedReader
  readonly clock: Clock
  /** Access tokens, ours and those of trusted issuers. */
  findToken(text: string): Promise<Presented | Denial>
  findLimits(presented: Presented): Promise<LimitsOf>
  chargeLimits(limits: readonly BoundLimit[], cost: number): LimitDecision | Promise<LimitDecision>
  readonly sessions?: SessionFinder
}

export const LONGEST_CREDENTIAL = 8_192
/** How long a verify waits for a reading of the feed that is overdue. */
const CATCH_UP_MS = 400

export class Verifier {
  readonly #ports: VerifierPorts
  readonly #cache: CredentialCache
  readonly #seenProofs = new SeenProofs()
  /** First sights under way, by digest. */
  readonly #sights = new Map<string, Promise<Decision>>()

  constructor(ports: VerifierPorts) {
    this.#ports = ports
    this.#cache = new CredentialCache(ports.feed, ports.clock)
  }

  get cachedCredentials(): number {
    return this.#cache.size
  }

  /** Rejects with `storage_unavailable` when the database or the feed's reading cannot vouch for an answer. */
  verify(request: VerifyRequest): Decision | Promise<Decision> {
    const malformed = this.#refuseByForm(request)
    if (malformed) return this.#refused(malformed)
    if (this.#ports.feed.ageMs() > OLDEST_READING_MS) return this.#whenCurrent(() => this.verify(request))
    if (request.url !== undefined) {
      const exposed = keysInUrl(request.url)
      if (exposed.length > 0) return this.#exposed(request, exposed[0] as string)
    }
    const digest = digestOf(request)
    const known = this.#cache.get(digest)
    if (known) return this.#charged(this.#decide(known, request), request)
    return this.#together(digest, request)
  }

  /** The same from the database, never from the cache: for management. */
  async verifyFresh(request: VerifyRequest): Promise<Decision> {
    const malformed = this.#refuseByForm(request)
    if (malformed) return this.#refused(malformed)
    const position = this.#ports.feed.position
    const presented = await this.#find(request)
    if ('valid' in presented) return this.#refused(presented)
    return this.#decide({ presented, reply: replyOf(presented), position }, request)
  }

  /** Whose key stands in a URL, if it is a real one. */
  async ownerOfExposed(text: string): Promise<PresentedKey | undefined> {
    return findPresentedKey(this.#ports.storage, this.#ports.peppers, text, undefined)
  }

  #refuseByForm({ credential }: VerifyRequest): Denial | undefined {
    if (credential === '') return denial('missing')
    if (credential.length > LONGEST_CREDENTIAL) return denial('malformed')
    // Printable ASCII: anything else never was a credential, and need not reach a hash or a database.
    if (!/^[\x21-\x7E]+$/.test(credential)) return denial('malformed')
    if (hasKeyForm(credential) && !parseKey(credential)) return denial('malformed')
    return undefined
  }

  /**
   * A thousand requests at once with one new credential read the database once. Whoever waits for another's reading
   * looks into the cache afterwards: what was touched meanwhile is not there, and is read again.
   */
  async #together(digest: string, request: VerifyRequest): Promise<Decision> {
    const underWay = this.#sights.get(digest)
    if (underWay) {
      await underWay.catch(() => {})
      const known = this.#cache.get(digest)
      return known ? this.#charged(this.#decide(known, request), request) : this.#firstSight(digest, request)
    }
    const sight = this.#firstSight(digest, request)
    this.#sights.set(digest, sight)
    try {
      return await sight
    } finally {
      this.#sights.delete(digest)
    }
  }

  async #firstSight(digest: string, request: VerifyRequest): Promise<Decision> {
    // The position before the record: a row after it that touches the record is then never missed.
    const { position } = this.#ports.feed
    const found = await this.#find(request)
    if ('valid' in found) return this.#refused(found)
    // Operators' own limits are those of the server's endpoints.
    const presented =
      found.principal.resource === MANAGEMENT_URI
        ? found
        : withLimits(found, await this.#ports.findLimits(found))
    const known = this.#cache.put(digest, presented, replyOf(presented), position)
    return this.#charged(this.#decide(known, request), request)
  }

  /** The last check of all: what is refused for anything else costs nothing. */
  #charged(decision: Decision, { cost, reserved }: VerifyRequest): Decision | Promise<Decision> {
    const limits = decision.presented?.limits
    if (!limits || limits.length === 0 || cost === undefined || decision.denial) return decision
    const open = reserved
      ? limits.filter(({ bucket, limit }) => limit.enforcement === 'strict' || !reserved.includes(bucket))
      : limits
    const charged = this.#ports.chargeLimits(open, cost)
    const settle = ({ denial: refusal, states }: LimitDecision): Decision => ({
      ...decision,
      denial: refusal,
      limits: states,
    })
    return charged instanceof Promise ? charged.then(settle) : settle(charged)
  }

  async #find(request: VerifyRequest): Promise<Proven | Denial> {
    const { storage, peppers, findToken, sessions } = this.#ports
    const { credential, resource } = request
    if (isJwt(credential) || isOpaqueToken(credential)) return findToken(credential)
    if (sessions?.isSession(credential))
      return sessions.find(credential, { resource, tenant: tenantWithin(request), ip: request.ip })
    const found = await findPresentedKey(storage, peppers, credential, resource, tenantWithin(request))
    if (found) return found
    // A key of ours that was cut short or run on is a typing error, once it is known that nobody imported it.
    return denial(resemblesKey(credential) && !hasKeyForm(credential) ? 'malformed' : 'unknown')
  }

  #decide(
    { presented, reply, position }: { presented: Proven; reply: string; position: number },
    request: VerifyRequest,
  ): Decision {
    return {
      denial: firstDenial(presented, request, this.#circumstances()),
      presented,
      reply,
      asOf: position,
    }
  }

  #circumstances(): Circumstances {
    return { nowMs: this.#ports.clock.nowMs(), seenProofs: this.#seenProofs }
  }

  #refused(refusal: Denial, presented?: Proven): Decision {
    return { denial: refusal, presented, reply: '', asOf: this.#ports.feed.position }
  }

  async #exposed(request: VerifyRequest, text: string): Promise<Decision> {
    const presented = await this.ownerOfExposed(text)
    const within = presented && firstDenial(presented, request, this.#circumstances())?.code !== 'unknown'
    return this.#refused(denial('exposed_in_url'), within ? presented : undefined)
  }

  async #whenCurrent(retry: () => Decision | Promise<Decision>): Promise<Decision> {
    const { feed } = this.#ports
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, CATCH_UP_MS)
    await Promise.race([feed.catchUp(), promise])
    clearTimeout(timer)
    if (feed.ageMs() > OLDEST_READING_MS)
      throw new PosternError(
        'storage_unavailable',
        'Revocations cannot be read right now, so nothing is vouched for.',
        {
          retryAfterSeconds: 1,
        },
      )
    return retry()
  }
}

function withLimits(found: Proven, { limits, plan, refs }: LimitsOf): Proven {
  if (limits.length === 0 && plan === undefined) return found
  return {
    ...found,
    limits,
    principal: { ...found.principal, ...(plan !== undefined && { plan }) },
    refs: [...found.refs, ...refs],
  }
}

/** The compact form of a JWS whose header is a JSON object (RFC 7515, section 7.1). */
function isJwt(credential: string): boolean {
  return /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(credential)
}

/** An imported key is unique only within a resource and tenant; one of ours has its own look-up. */
function digestOf(request: VerifyRequest): string {
  const { credential, resource } = request
  const text =
    hasKeyForm(credential) || isJwt(credential)
      ? credential
      : `${credential}\n${resource}\n${tenantWithin(request)}`
  return hash('sha256', text, 'base64url')
}

/** A caller of one tenant means that one: what another tenant imported must not make its key ambiguous. */
function tenantWithin({ tenant, reach }: VerifyRequest): string | undefined {
  return tenant ?? reach.tenant ?? undefined
}
