/** The text of an answer, put together once for each credential and not for each request. */
import { type Denial, type Presented, rfc3339 } from '../kernel/index.ts'

/** `{"principal":…,"constraints":…,"cache_seconds":…,"limits":[],"refs":[…]`, without the closing brace. */
export function replyOf(presented: Presented): string {
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
    limits: [],
    refs: presented.refs,
  }
  return JSON.stringify(wire).slice(0, -1)
}

export function validText(reply: string, asOf: number): string {
  return `{"valid":true,${reply.slice(1)},"as_of":${asOf}}`
}

export function denialText(refused: Denial, asOf: number): string {
  const { code, detail, scopes, acrValues, maxAgeSeconds, retryAfterSeconds } = refused
  return JSON.stringify({
    valid: false,
    code,
    detail,
    ...(scopes && { scopes }),
    ...(acrValues && { acr_values: acrValues }),
    ...(maxAgeSeconds !== undefined && { max_age: maxAgeSeconds }),
    ...(retryAfterSeconds !== undefined && { retry_after_seconds: retryAfterSeconds }),
    as_of: asOf,
  })
}
