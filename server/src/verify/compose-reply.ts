/** The text of an answer, put together once for each credential and not for each request. */
import { type Denial, rfc3339 } from '../kernel/index.ts'
import { type LimitState, statesText } from '../limits/index.ts'
import type { Proven } from './verify.ts'

/**
 * `{"principal":…,"constraints":…,"cache_seconds":…,"refs":[…],"limits":[]`, without the closing brace; where there are
 * limits, they are not part of it, as each answer has its own.
 */
export function replyOf(presented: Proven): string {
  const { principal, ipAllowText } = presented
  const expires = rfc3339(presented.expiresAtMs)
  const wire = {
    principal: {
      sub: principal.sub,
      sub_type: principal.subType,
      tenant: principal.tenant,
      resource: principal.resource,
      scopes: principal.scopes,
      roles: principal.roles,
      credential: principal.credential,
      ...(principal.clientId !== undefined && { client_id: principal.clientId }),
      ...(principal.act && { act: principal.act }),
      ...(principal.cnf && { cnf: principal.cnf }),
      ...(principal.grantId !== undefined && { grant_id: principal.grantId }),
      ...(principal.sessionId !== undefined && { session_id: principal.sessionId }),
      ...(principal.acr !== undefined && { acr: principal.acr }),
      ...(principal.amr && { amr: principal.amr }),
      ...(principal.authTimeMs !== undefined && { auth_time: rfc3339(principal.authTimeMs) }),
      ...(expires !== null && { expires_at: expires }),
      ...(principal.metadata && { metadata: principal.metadata }),
      ...(principal.plan !== undefined && { plan: principal.plan }),
    },
    constraints: {
      environment: principal.credential.environment,
      browser: presented.allowBrowser,
      ...(ipAllowText.length > 0 && { ip_allow: ipAllowText }),
      ...(presented.notBeforeMs !== null && { not_before: rfc3339(presented.notBeforeMs) }),
      ...(expires !== null && { expires_at: expires }),
      ...(principal.cnf && { cnf: principal.cnf }),
    },
    cache_seconds: presented.cacheSeconds,
    refs: presented.refs,
    ...(!presented.limits?.length && { limits: [] }),
  }
  return JSON.stringify(wire).slice(0, -1)
}

export function validText(reply: string, asOf: number, limits?: readonly LimitState[]): string {
  const counted = limits ? `,"limits":${statesText(limits)}` : ''
  return `{"valid":true,${reply.slice(1)}${counted},"as_of":${asOf}}`
}

export function denialText(refused: Denial, asOf: number, limits?: readonly LimitState[]): string {
  const { code, detail, scopes, acrValues, maxAgeSeconds, retryAfterSeconds } = refused
  const text = JSON.stringify({
    valid: false,
    code,
    detail,
    ...(scopes && { scopes }),
    ...(acrValues && { acr_values: acrValues }),
    ...(maxAgeSeconds !== undefined && { max_age: maxAgeSeconds }),
    ...(retryAfterSeconds !== undefined && { retry_after_seconds: retryAfterSeconds }),
    as_of: asOf,
  })
  return limits ? `${text.slice(0, -1)},"limits":${statesText(limits)}}` : text
}
