/**
 * How a user has to have signed in (RFC 9470, and `acr` of OpenID Connect Core): what an application asks for by
 * `acr_values`, or as an essential claim, is what it gets, or an error that says so. Never less.
 */
import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { satisfiesAcr } from '../identity/index.ts'

/** Whether a sign-in with `acr` is one of `wanted`, or more than one of ours; nothing wanted is always met. */
export function meetsAcr(acr: string | undefined, wanted: readonly string[]): boolean {
  return wanted.length === 0 || (acr !== undefined && wanted.some((one) => satisfiesAcr(acr, one)))
}

/** Any of these will do. Taken from the parameters of an authorization request. */
export function wantedAcrs(params: Readonly<Record<string, unknown>>): readonly string[] {
  const { acr_values: values, claims } = params
  if (typeof values === 'string' && values.trim() !== '') return values.split(' ').filter(Boolean)
  const acr = essentialAcr(claims)
  if (acr?.essential !== true) return []
  return [acr.value, ...(Array.isArray(acr.values) ? acr.values : [])].filter(
    (value): value is string => typeof value === 'string',
  )
}

interface AcrRequest {
  readonly essential?: unknown
  readonly value?: unknown
  readonly values?: unknown
}

function essentialAcr(claims: unknown): AcrRequest | undefined {
  if (typeof claims !== 'string') return undefined
  try {
    const asked = JSON.parse(claims) as { id_token?: { acr?: AcrRequest | null } } | null
    return asked?.id_token?.acr ?? undefined
  } catch {
    // The engine has refused it by then.
    return undefined
  }
}

/** For the login prompt: a sign-in that proves too little is as good as none. */
export function strongEnough(): interactionPolicy.Check {
  const { Check } = interactionPolicy
  return new Check(
    'acr_not_met',
    'End-User authentication is not as strong as was asked for',
    'unmet_authentication_requirements',
    (ctx: KoaContextWithOIDC) =>
      meetsAcr(ctx.oidc.acr, wantedAcrs((ctx.oidc.params ?? {}) as Record<string, unknown>))
        ? Check.NO_NEED_TO_PROMPT
        : Check.REQUEST_PROMPT,
  )
}
