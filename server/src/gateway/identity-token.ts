/**
 * The identity token: what an upstream is told about a caller, signed, for a minute at most and for that upstream alone.
 * Its `typ` is its own, so that no verifier of access tokens takes it. docs/gateways.md has the wire format.
 */
import { randomBytes } from 'node:crypto'
import type { Presented } from '../kernel/index.ts'
import { signJws, type SigningKeys } from '../tokens/index.ts'

export const IDENTITY_TYP = 'postern-identity+jwt'
export const IDENTITY_SECONDS = 60

export interface IdentityQuestion {
  readonly presented: Presented
  readonly issuer: string
  /** The upstream. */
  readonly audience: string
  /** The position of the feed at which the credential was good. */
  readonly position: number
  readonly nowMs: number
}

/** Signs with the active ES256 key. Undefined when the credential itself ends before a second is over. */
export function mintIdentityToken(
  signingKeys: Pick<SigningKeys, 'active'>,
  { presented, issuer, audience, position, nowMs }: IdentityQuestion,
): { readonly token: string; readonly expiresAtMs: number } | undefined {
  const { principal, refs, expiresAtMs } = presented
  const iat = Math.floor(nowMs / 1000)
  const ends = expiresAtMs === null ? Number.POSITIVE_INFINITY : Math.floor(expiresAtMs / 1000)
  const exp = Math.min(iat + IDENTITY_SECONDS, ends)
  if (exp <= iat) return undefined
  const { kid, alg, privateKey } = signingKeys.active('ES256')
  const claims = {
    iss: issuer,
    sub: principal.sub,
    aud: audience,
    iat,
    exp,
    jti: randomBytes(12).toString('base64url'),
    sub_type: principal.subType,
    tenant: principal.tenant,
    resource: principal.resource,
    scope: principal.scopes.join(' '),
    roles: principal.roles,
    credential: principal.credential,
    ...(principal.clientId !== undefined && { client_id: principal.clientId }),
    ...(principal.act && { act: principal.act }),
    ...(principal.grantId !== undefined && { gid: principal.grantId }),
    ...(principal.sessionId !== undefined && { sid: principal.sessionId }),
    ...(principal.acr !== undefined && { acr: principal.acr }),
    ...(principal.amr && { amr: principal.amr }),
    ...(principal.authTimeMs !== undefined && { auth_time: Math.floor(principal.authTimeMs / 1000) }),
    rsn: position,
    refs: [...refs, `signing_key:${kid}`],
  }
  const input = `${encoded({ alg, typ: IDENTITY_TYP, kid })}.${encoded(claims)}`
  return { token: `${input}.${signJws(alg, privateKey, input)}`, expiresAtMs: exp * 1000 }
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
