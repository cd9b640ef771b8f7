/**
 * The identity token that a gateway of Postern puts into `Postern-Identity`: who calls, signed, for this upstream alone and
 * for a minute. It is verified here by its signature; the server is asked for its public keys and for nothing else.
 */
import { denial } from './denial.ts'
import type { Actor, Principal, Result } from './principal.ts'

export interface IdentityOptions {
  /** Postern's address: the issuer, and where its keys are (`/jwks`). */
  readonly server: string
  /** What this service is called: the origin that the proxy protects, or the route's `upstream`. */
  readonly audience: string
  /**
   * Says whether the feed has ended any of these since `position`: for a service that follows it. Without it a token is good
   * until its minute is over.
   */
  readonly endedSince?: (refs: readonly string[], position: number) => boolean
  /** Milliseconds since 1970; for tests. */
  readonly now?: () => number
  readonly fetch?: typeof globalThis.fetch
}

export type VerifyIdentity = (token: string | undefined | null) => Promise<Result>

const TYP = 'postern-identity+jwt'
const LONGEST_TOKEN = 8_192
const LONGEST_SECONDS = 60
const CLOCK_TOLERANCE_SECONDS = 5
const KEYS_LIVE_MS = 300_000
/** An unknown key costs one fetch a second at most: whoever invents keys buys nothing. */
const COOLDOWN_MS = 1_000
const ES256 = { name: 'ECDSA', hash: 'SHA-256' } as const

type Claims = Readonly<Record<string, unknown>>
interface PublicKey {
  readonly kty: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly kid?: string
}

type KeyReader = (kid: string) => Promise<CryptoKey | undefined>

/** Answers a function from the header's value to a Principal or a Denial. It rejects with nothing. */
export function createIdentityVerifier(options: IdentityOptions): VerifyIdentity {
  const now = options.now ?? Date.now
  const issuer = options.server.replace(/\/+$/, '')
  const keyOf = keysOf(`${issuer}/jwks`, options.fetch ?? globalThis.fetch, now)

  return async (token) => {
    if (token === undefined || token === null || token === '') return denial('missing')
    const parts = token.split('.')
    const [header, payload, signature] = parts
    if (token.length > LONGEST_TOKEN || parts.length !== 3 || !header || !payload || !signature)
      return denial('malformed')
    const { alg, typ, kid } = jsonOf(header) ?? {}
    if (typ !== TYP || alg !== 'ES256') return denial('unsupported')
    if (typeof kid !== 'string') return denial('malformed')

    let key: CryptoKey | undefined
    try {
      key = await keyOf(kid)
    } catch {
      return denial('unavailable')
    }
    const signed = new TextEncoder().encode(`${header}.${payload}`)
    const bytes = bytesOf(signature)
    if (!key || !bytes || !(await crypto.subtle.verify(ES256, key, bytes, signed))) return denial('unknown')

    const claims = jsonOf(payload)
    if (!claims) return denial('malformed')
    return judge(claims, {
      issuer,
      audience: options.audience,
      seconds: now() / 1000,
      endedSince: options.endedSince,
    })
  }
}

interface Expected {
  readonly issuer: string
  readonly audience: string
  readonly seconds: number
  readonly endedSince: IdentityOptions['endedSince']
}

function judge(claims: Claims, { issuer, audience, seconds, endedSince }: Expected): Result {
  const { iss, aud, iat, exp, rsn, refs } = claims
  if (iss !== issuer) return denial('unknown')
  if (aud !== audience) return denial('wrong_resource')
  if (!isNumber(iat) || !isNumber(exp) || !isNumber(rsn) || !areTexts(refs) || exp - iat > LONGEST_SECONDS)
    return denial('malformed')
  if (exp <= seconds) return denial('expired')
  if (iat > seconds + CLOCK_TOLERANCE_SECONDS) return denial('not_yet_valid')
  if (endedSince?.(refs, rsn) === true) return denial('revoked')
  return principalOf(claims, exp) ?? denial('malformed')
}

function principalOf(claims: Claims, exp: number): Principal | undefined {
  const { sub, sub_type: subType, tenant, resource, scope, roles, credential } = claims
  const { client_id: clientId, act, gid, sid, acr, amr } = claims
  if (!isText(sub) || !isText(tenant) || !isText(resource) || typeof scope !== 'string' || !areTexts(roles))
    return undefined
  if (subType !== 'user' && subType !== 'client' && subType !== 'external') return undefined
  if (typeof credential !== 'object' || credential === null) return undefined
  return deepFreeze({
    valid: true,
    sub,
    subType,
    tenant,
    resource,
    scopes: scope.split(' ').filter((word) => word !== ''),
    roles,
    credential: credential as Principal['credential'],
    ...(isText(clientId) && { clientId }),
    ...(typeof act === 'object' && act !== null && { act: act as Actor }),
    ...(isText(gid) && { grantId: gid }),
    ...(isText(sid) && { sessionId: sid }),
    ...(isText(acr) && { acr }),
    ...(areTexts(amr) && { amr }),
    expiresAtMs: exp * 1000,
  })
}

/** The server's ES256 keys, fetched when one is not known and every five minutes. */
function keysOf(url: string, fetch: typeof globalThis.fetch, now: () => number): KeyReader {
  let keys = new Map<string, CryptoKey>()
  let readAtMs = Number.NEGATIVE_INFINITY
  let soughtAtMs = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined

  async function read(): Promise<void> {
    soughtAtMs = now()
    const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(5_000) })
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
    const { keys: found } = (await answer.json()) as { keys: readonly PublicKey[] }
    const fresh = new Map<string, CryptoKey>()
    for (const jwk of found)
      if (jwk.kid !== undefined && jwk.kty === 'EC' && jwk.crv === 'P-256' && jwk.x && jwk.y)
        fresh.set(
          jwk.kid,
          await crypto.subtle.importKey(
            'jwk',
            { kty: 'EC', crv: 'P-256', x: jwk.x, y: jwk.y },
            { name: 'ECDSA', namedCurve: 'P-256' },
            false,
            ['verify'],
          ),
        )
    keys = fresh
    readAtMs = now()
  }

  return async (kid) => {
    const old = now() - readAtMs > KEYS_LIVE_MS
    if ((old || !keys.has(kid)) && now() - soughtAtMs >= COOLDOWN_MS)
      reading ??= read().finally(() => (reading = undefined))
    // A key that is known does not wait for the others.
    if (reading && (old || !keys.has(kid))) await reading
    return keys.get(kid)
  }
}

function jsonOf(segment: string): Claims | undefined {
  const bytes = bytesOf(segment)
  if (!bytes) return undefined
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Claims)
      : undefined
  } catch {
    return undefined
  }
}

function bytesOf(segment: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[\w-]+$/.test(segment)) return undefined
  const text = atob(segment.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFreeze(member)
  }
  return value
}
