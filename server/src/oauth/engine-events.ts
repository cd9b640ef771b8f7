/**
 * What the engine tells of, into the activity log: what was issued and what was refused, by code and by client. The
 * reasons stay here; on the wire every refusal is generic.
 */
import type { Provider } from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
import { coarseNetwork } from '../kernel/index.ts'
import { type EngineClient, privilegesOf } from './client-metadata.ts'
import { evidenceIfAny } from './evidence.ts'
import type { OAuthPorts } from './ports.ts'

/** Events of refusals; the second argument is the context, the third the error. */
const REFUSALS = [
  'authorization.error',
  'backchannel_authentication.error',
  'code_verification.error',
  'device_authorization.error',
  'device_resume.error',
  'discovery.error',
  'end_session.error',
  'end_session_confirm.error',
  'grant.error',
  'introspection.error',
  'pushed_authorization_request.error',
  'revocation.error',
  'userinfo.error',
] as const

interface Refused {
  readonly error?: string
  readonly error_description?: string
  readonly error_detail?: string
  readonly cause?: unknown
}

type Ports = Pick<OAuthPorts, 'activity' | 'logger'>

/** Something was issued to `client` without the engine. */
export function noteIssued(
  { activity }: Pick<Ports, 'activity'>,
  { ip, route }: { readonly ip: string; readonly route: string },
  client: EngineClient,
  code: string,
): void {
  activity.record({ kind: 'oauth_issued', code, ...whose(client), route, network: coarseNetwork(ip) })
}

export function watchEngine(provider: Provider, { activity, logger }: Ports): void {
  const on = (event: string, listener: (...words: never[]) => void): void =>
    void (provider as unknown as NodeJS.EventEmitter).on(event, listener as never)

  const note = (ctx: KoaContextWithOIDC, kind: string, code: string): void => {
    const client = clientOf(ctx)
    const known = evidenceIfAny()
    activity.record({
      kind,
      code: code.slice(0, 100),
      route: known?.route ?? 'oauth',
      network: known ? coarseNetwork(known.ip) : 'unknown',
      ...(client && whose(client)),
    })
  }

  for (const event of REFUSALS)
    on(event, (ctx: KoaContextWithOIDC, error: Refused) => {
      // Not a refusal: introspection and revocation answer for JWTs after the engine has (see token-status.ts).
      if (error.error === 'unsupported_token_type') return
      note(ctx, 'oauth_refused', error.error ?? 'error')
    })
  on('grant.success', (ctx: KoaContextWithOIDC) =>
    note(ctx, 'oauth_issued', String(ctx.oidc.params?.['grant_type'])),
  )
  on('authorization.success', (ctx: KoaContextWithOIDC) => note(ctx, 'oauth_issued', 'code'))
  on('end_session.success', (ctx: KoaContextWithOIDC) => note(ctx, 'sign_out', 'end_session'))
  on('server_error', (ctx: KoaContextWithOIDC, error: Error) => {
    note(ctx, 'oauth_refused', 'server_error')
    logger.error({ err: error, route: evidenceIfAny()?.route }, 'the OAuth server failed')
  })
}

function whose(client: EngineClient): { tenant: string | undefined; credential: string } {
  return {
    tenant: privilegesOf(client)?.tenantId ?? undefined,
    credential: client.clientId.slice(0, 200),
  }
}

function clientOf(ctx: KoaContextWithOIDC): EngineClient | undefined {
  try {
    return ctx.oidc.client as unknown as EngineClient | undefined
  } catch {
    return undefined
  }
}
