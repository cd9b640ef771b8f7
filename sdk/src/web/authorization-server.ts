/** Postern as an OAuth client sees it: all of the protocol is `openid-client`'s. Found by its metadata, once. */
import type {
  Configuration,
  CustomFetch,
  TokenEndpointResponse,
  TokenEndpointResponseHelpers,
} from 'openid-client'
import { optionalPeer } from './optional-peer.ts'
import type { WebConfig } from './web-options.ts'

export interface AuthorizationServer {
  /** Where to send a browser to sign in, and what has to be known when it comes back. */
  begin(asked: SignInDemands): Promise<{ readonly url: URL; readonly secrets: SignInSecrets }>
  /** Redeems the code in `query`. Rejects where any check fails: state, `iss`, PKCE, nonce, the ID token. */
  finish(query: string, secrets: SignInSecrets): Promise<TokenEndpointResponse & TokenEndpointResponseHelpers>
  refresh(refreshToken: string): Promise<TokenEndpointResponse>
  /** RFC 7009: the grant ends, and verifiers hear of it. */
  revoke(refreshToken: string): Promise<void>
  /** OpenID Connect RP-Initiated Logout 1.0. By the client's id: an ID token in a URL would be seen by too many. */
  endSessionUrl(): Promise<URL>
  configuration(): Promise<Configuration>
}

/** Of a step-up (RFC 9470), or to have the user sign in anew. */
export interface SignInDemands {
  readonly acrValues?: string | undefined
  readonly maxAgeSeconds?: number | undefined
  readonly prompt?: string | undefined
}

export interface SignInSecrets {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  readonly maxAgeSeconds?: number | undefined
}

export function authorizationServer(config: WebConfig): AuthorizationServer {
  let found: Promise<Configuration> | undefined
  const { clientId, clientSecret, resource, scope, redirectUri, afterLogout } = config

  /** One that failed is tried again by the next request. */
  function configuration(): Promise<Configuration> {
    found ??= discover().catch((error: unknown) => {
      found = undefined
      throw error
    })
    return found
  }

  async function discover(): Promise<Configuration> {
    const openid = await optionalPeer('openid-client')
    return openid.discovery(config.issuer, clientId, undefined, openid.ClientSecretBasic(clientSecret), {
      timeout: config.timeoutSeconds,
      ...(config.issuer.protocol === 'http:' && { execute: [openid.allowInsecureRequests] }),
      ...(config.fetch && { [openid.customFetch]: config.fetch as CustomFetch }),
    })
  }

  return {
    configuration,
    async begin({ acrValues, maxAgeSeconds, prompt }) {
      const [openid, client] = await Promise.all([optionalPeer('openid-client'), configuration()])
      const secrets = {
        state: openid.randomState(),
        nonce: openid.randomNonce(),
        codeVerifier: openid.randomPKCECodeVerifier(),
        maxAgeSeconds,
      }
      const url = openid.buildAuthorizationUrl(client, {
        redirect_uri: redirectUri,
        scope,
        resource,
        state: secrets.state,
        nonce: secrets.nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(secrets.codeVerifier),
        code_challenge_method: 'S256',
        ...(acrValues !== undefined && { acr_values: acrValues }),
        ...(maxAgeSeconds !== undefined && { max_age: String(maxAgeSeconds) }),
        ...(prompt !== undefined && { prompt }),
      })
      return { url, secrets }
    },
    async finish(query, { state, nonce, codeVerifier, maxAgeSeconds }) {
      const [openid, client] = await Promise.all([optionalPeer('openid-client'), configuration()])
      // The redirect URI is ours, never what the request says of its own host.
      return openid.authorizationCodeGrant(
        client,
        new URL(`${redirectUri}${query}`),
        {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: codeVerifier,
          idTokenExpected: true,
          ...(maxAgeSeconds !== undefined && { maxAge: maxAgeSeconds }),
        },
        { resource },
      )
    },
    async refresh(refreshToken) {
      const [openid, client] = await Promise.all([optionalPeer('openid-client'), configuration()])
      return openid.refreshTokenGrant(client, refreshToken, { resource })
    },
    async revoke(refreshToken) {
      const [openid, client] = await Promise.all([optionalPeer('openid-client'), configuration()])
      await openid.tokenRevocation(client, refreshToken, { token_type_hint: 'refresh_token' })
    },
    async endSessionUrl() {
      const [openid, client] = await Promise.all([optionalPeer('openid-client'), configuration()])
      return openid.buildEndSessionUrl(client, { post_logout_redirect_uri: afterLogout })
    },
  }
}
