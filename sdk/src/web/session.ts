/** A signed-in user: what the tokens' answer is kept as. The ID token itself is read once and not kept. */
import type { IDToken, TokenEndpointResponse } from 'openid-client'

export interface Session {
  readonly accessToken: string
  /** Unix milliseconds. */
  readonly accessEndsAtMs: number
  readonly refreshToken: string | undefined
  /** The session at Postern, as its logout tokens name it. */
  readonly sid: string | undefined
  readonly user: SignedInUser
  readonly endsAtMs: number
}

/** What the application may know of its user: claims of the ID token. */
export interface SignedInUser {
  readonly sub: string
  readonly [claim: string]: unknown
}

/** Those that say who somebody is and how they signed in. */
const USER_CLAIMS = [
  'sub',
  'name',
  'given_name',
  'family_name',
  'preferred_username',
  'email',
  'email_verified',
  'picture',
  'locale',
  'zoneinfo',
  'tenant',
  'roles',
  'acr',
  'amr',
  'auth_time',
] as const
const LONGEST_CLAIM = 512
/** Where the answer does not say how long its token is good for (RFC 6749, section 5.1). */
const SHORT_LIFE_SECONDS = 60

export function newSession(
  tokens: TokenEndpointResponse,
  claims: IDToken,
  nowMs: number,
  lifetimeMs: number,
): Session {
  const chosen = USER_CLAIMS.filter((name) => JSON.stringify(claims[name] ?? null).length <= LONGEST_CLAIM)
    .filter((name) => claims[name] !== undefined)
    .map((name) => [name, claims[name]])
  return {
    ...tokensOf(tokens, nowMs),
    sid: typeof claims['sid'] === 'string' ? claims['sid'] : undefined,
    user: { ...Object.fromEntries(chosen), sub: claims.sub },
    endsAtMs: nowMs + lifetimeMs,
  }
}

/** The refresh token stays where the answer brings no new one (RFC 6749, section 6). */
export function refreshedSession(session: Session, tokens: TokenEndpointResponse, nowMs: number): Session {
  const fresh = tokensOf(tokens, nowMs)
  return { ...session, ...fresh, refreshToken: fresh.refreshToken ?? session.refreshToken }
}

function tokensOf(tokens: TokenEndpointResponse, nowMs: number) {
  return {
    accessToken: tokens.access_token,
    accessEndsAtMs: nowMs + (tokens.expires_in ?? SHORT_LIFE_SECONDS) * 1000,
    refreshToken: tokens.refresh_token,
  }
}
