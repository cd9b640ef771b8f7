/** An issuer that a deployment already has (an OpenID provider), and how its tokens become a Principal. Pure rules. */
import type { JwsAlgorithm } from './jws-signature.ts'

export interface TrustedIssuer {
  readonly id: string
  /** Compared exactly with `iss`. */
  readonly issuer: string
  readonly name: string
  /** The resource of ours that its tokens are for. */
  readonly resourceId: string
  readonly resourceUri: string
  /** One of them must be in `aud`: its own name for that API. */
  readonly audiences: readonly string[]
  readonly algorithms: readonly JwsAlgorithm[]
  /** null: found by discovery. */
  readonly jwksUri: string | null
  /** What stands before the `|` in `sub`. */
  readonly subjectPrefix: string
  readonly claims: ClaimsMap
  /** A token counts no longer than this after its `iat`, whatever its `exp` says. */
  readonly longestTokenSeconds: number
  /** Unix seconds: tokens issued then or before are refused. */
  readonly revokedBefore: number | null
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

/** Where in the claims things stand: a member's name, or a JSON Pointer (RFC 6901) when it begins with `/`. */
export interface ClaimsMap {
  readonly sub: string
  /** A text with spaces between, or a list. */
  readonly scopes: string
  /** Their word → ours; what it does not name is dropped. null: the same words. */
  readonly scopeMap: Readonly<Record<string, readonly string[]>> | null
  readonly roles: string | null
  readonly tenant: { readonly id: string } | { readonly claim: string; readonly by: 'id' | 'external_id' }
}

/**
 * Two issuers never mean the same subject: the prefix belongs to one issuer and holds no `|`, so the first one divides.
 * The prefix cannot look like an id of ours either.
 */
export function namespaced(issuer: Pick<TrustedIssuer, 'subjectPrefix'>, sub: string): string {
  return `${issuer.subjectPrefix}|${sub}`
}

/** The feed's key for one of its tokens: a `jti` means something inside its issuer only. */
export function foreignTokenKey(issuerId: string, jti: string): string {
  return `${issuerId}:${jti}`
}

export function readClaim(payload: Readonly<Record<string, unknown>>, path: string): unknown {
  if (!path.startsWith('/')) return Object.hasOwn(payload, path) ? payload[path] : undefined
  let value: unknown = payload
  for (const part of path.slice(1).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

const MOST_WORDS = 200

/** The words of a claim that is a text with spaces between or a list of texts; anything else has none. */
export function wordsOf(value: unknown): string[] {
  const words = typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : []
  return words.filter((word): word is string => typeof word === 'string' && word !== '').slice(0, MOST_WORDS)
}

export function mapScopes(words: readonly string[], map: ClaimsMap['scopeMap']): string[] {
  if (map === null) return [...words]
  return [...new Set(words.flatMap((word) => (Object.hasOwn(map, word) ? (map[word] ?? []) : [])))]
}
