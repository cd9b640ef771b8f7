/** How the engine is set up: what is on, what is refused, how long things live. See decisions/008-oidc-provider.md. */
import { type Configuration, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { ID_TOKEN_ALGORITHMS } from '../clients/index.ts'
import { ACR_VALUES } from '../identity/index.ts'
import { type Clock, deriveKey, newId } from '../kernel/index.ts'
import { TokenBuckets } from '../limits/index.ts'
import { adapterFactory } from './adapter.ts'
import { extraClaims } from './access-token.ts'
import { PRIVILEGES, privilegesOf, stripPrivileges } from './client-metadata.ts'
import { findAccount } from './accounts.ts'
import { loadGrant } from './consented-grants.ts'
import { devicePages } from './device-pages.ts'
import { evidence } from './evidence.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { logoutPages, renderError } from './engine-pages.ts'
import { basePath, ROUTES } from './endpoints.ts'
import type { OAuthPorts } from './ports.ts'
import { OPENID_SCOPES, resourceIndicators } from './resource-servers.ts'
import { REGISTRATIONS } from './registration.ts'
import { signInStillGood } from './sign-in-still-good.ts'
import { strongEnough } from './step-up.ts'
import { mayIntrospect, mayRevoke } from './token-status.ts'

/** Moved by no rotation: a refresh token that is used every day ends all the same. */
export const REFRESH_SECONDS = 7 * 86_400
const MINUTE = 60
const HOUR = 3_600
const DAY = 86_400

/** Fetching documents that strangers name is work that strangers cause. */
const DOCUMENT_FETCHES = { perSecond: 1 / 6, burst: 10 }

export function engineConfiguration(ports: OAuthPorts): Configuration {
  const { rootSecret, storage, issuer, clock } = ports
  const secure = issuer.startsWith('https:')
  const documentFetches = new TokenBuckets(DOCUMENT_FETCHES, clock)

  return {
    adapter: adapterFactory({ ...ports, registrations: new TokenBuckets(REGISTRATIONS, clock) }),
    jwks: { keys: ports.signingKeys.privateJwks() as never },
    routes: { ...ROUTES },
    responseTypes: ['code'],
    scopes: [...OPENID_SCOPES],
    claims: {
      openid: ['sub', 'acr', 'amr', 'auth_time'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
    },
    acrValues: [...ACR_VALUES],
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    enabledJWA: {
      clientAuthSigningAlgValues: ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'],
      idTokenSigningAlgValues: [...ID_TOKEN_ALGORITHMS],
      dPoPSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519'],
    },
    // Privileges are one member, and only operators set it.
    extraClientMetadata: {
      properties: [PRIVILEGES],
      validator: (ctx: unknown, _key: string, _value: unknown, metadata: unknown) =>
        stripPrivileges(ctx, metadata as Record<string, unknown>),
    },
    pkce: { required: () => true },
    conformIdTokenClaims: true,
    allowOmittingSingleRegisteredRedirectUri: false,
    clientBasedCORS: (_ctx: unknown, origin: string, client: object) =>
      privilegesOf(client)?.corsOrigins.includes(origin) === true,
    cookies: {
      keys: [deriveKey(rootSecret, 'oauth cookies').toString('base64url')],
      names: {
        session: secure ? '__Host-postern-oauth' : 'postern-oauth',
        interaction: 'postern-oauth-interaction',
        resume: 'postern-oauth-resume',
      },
      long: { signed: true, httpOnly: true, sameSite: 'lax', path: '/' },
      short: { signed: true, httpOnly: true, sameSite: 'lax' },
    },
    discovery: { service_documentation: `${issuer}/docs` },
    fetch: guardedFetch(ports) as never,
    findAccount: (ctx: KoaContextWithOIDC, id: string) => findAccount(ports.people, ctx, id),
    loadExistingGrant: (ctx: KoaContextWithOIDC) => loadGrant(ports, ctx),
    extraTokenClaims: async (ctx: KoaContextWithOIDC, token: unknown) =>
      (await extraClaims(ports, ctx, token as never)) as Record<string, never>,
    interactions: {
      url: (_ctx: unknown, interaction: { uid: string }) =>
        `${basePath(issuer)}/interaction/${interaction.uid}`,
      policy: policy(ports),
    },
    issueRefreshToken: async (_ctx: unknown, client: { grantTypeAllowed(type: string): boolean }) =>
      client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    // Ours end with the grant, and with the session where the grant does: see accounts.ts.
    expiresWithSession: async () => false,
    revokeGrantPolicy: () => true,
    renderError: renderError as never,
    ttl: {
      AuthorizationCode: MINUTE,
      AccessToken: (_ctx: unknown, token: { resourceServer?: { accessTokenTTL?: number } }) =>
        token.resourceServer?.accessTokenTTL ?? 15 * MINUTE,
      ClientCredentials: (_ctx: unknown, token: { resourceServer?: { accessTokenTTL?: number } }) =>
        token.resourceServer?.accessTokenTTL ?? 15 * MINUTE,
      DeviceCode: 10 * MINUTE,
      IdToken: 15 * MINUTE,
      Interaction: HOUR,
      Session: 7 * DAY,
      Grant: REFRESH_SECONDS + DAY,
      RefreshToken: (_ctx: unknown, token: { iiat: number }) =>
        Math.max(1, token.iiat + REFRESH_SECONDS - Math.floor(Date.now() / 1000)),
    } as Configuration['ttl'],
    features: {
      devInteractions: { enabled: false },
      claimsParameter: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****', ...devicePages },
      dPoP: { enabled: true, nonceSecret: deriveKey(rootSecret, 'dpop nonces'), requireNonce: () => false },
      pushedAuthorizationRequests: { enabled: true },
      resourceIndicators: resourceIndicators(storage) as never,
      introspection: { enabled: true, allowedPolicy: mayIntrospect(storage) as never },
      revocation: { enabled: true, allowedPolicy: mayRevoke(ports) as never },
      userinfo: { enabled: true },
      rpInitiatedLogout: { enabled: true, ...logoutPages(issuer) },
      backchannelLogout: { enabled: true },
      registration: {
        enabled: ports.dynamicRegistration,
        initialAccessToken: false,
        issueRegistrationAccessToken: false,
        idFactory: () => newId('cli', clock),
      },
      clientIdMetadataDocument: {
        enabled: true,
        ack: 'draft-02',
        allowFetch: async () => documentFetches.take(evidence().ip) === 0,
      } as never,
    },
  }
}

/** For `prompt=login`: what counts is a sign-in after this, by our own clock, whichever way it is made. */
function noteWhenAsked(login: interactionPolicy.Prompt, clock: Clock): void {
  const { details } = login
  login.details = async (ctx) => ({ ...(await details?.(ctx)), asked_at_ms: clock.nowMs() })
}

/** The engine's prompts, and more reasons to sign in: the sign-in it remembers is over, or proves too little. */
function policy({ people, clock }: OAuthPorts) {
  const prompts = interactionPolicy.base()
  const login = prompts.get('login')
  if (login) noteWhenAsked(login, clock)
  // They compare for equality, and would ask for ever where a stronger sign-in is there.
  login?.checks.remove('essential_acr')
  login?.checks.remove('essential_acrs')
  login?.checks.add(strongEnough())
  login?.checks.add(signInStillGood(people))
  return prompts
}
