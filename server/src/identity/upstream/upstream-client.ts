/**
 * The OpenID Connect client: `openid-client`, with state, nonce and PKCE each time. State is the ticket's secret; nonce
 * and verifier are derived from it, so that nothing of a trip has to be kept. The library checks `iss` (of the answer,
 * where the provider sends one, and of the ID token), `aud`, `exp`, the nonce and the signature.
 */
import { createHmac } from 'node:crypto'
import * as oidc from 'openid-client'
import { GITHUB, type Provider, type UpstreamPerson } from './provider.ts'

const TIMEOUT_SECONDS = 10
const DISCOVERY_MS = 3_600_000

export interface Trip {
  readonly provider: Provider
  readonly clientSecret: string
  /** Where the provider sends the browser back. */
  readonly redirectUri: string
  /** 256 random bits of this browser's. */
  readonly state: string
}

const known = new Map<string, { readonly until: number; readonly found: Promise<oidc.Configuration> }>()

/** Throws when the provider cannot be reached, or says that it is another one. */
export async function authorizationUrl(trip: Trip): Promise<URL> {
  const { provider, redirectUri, state } = trip
  const verifier = derived('verifier', state)
  return oidc.buildAuthorizationUrl(await configurationOf(trip), {
    redirect_uri: redirectUri,
    scope: provider.kind === 'github' ? 'read:user user:email' : 'openid email profile',
    state,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(provider.kind === 'oidc' && { nonce: derived('nonce', state) }),
  })
}

/** Who came back. Throws for whatever is wrong with the answer, the tokens or what is in them. */
export async function personOf(trip: Trip, query: URLSearchParams): Promise<UpstreamPerson> {
  const configuration = await configurationOf(trip)
  const answer = new URL(trip.redirectUri)
  answer.search = query.toString()
  const isOidc = trip.provider.kind === 'oidc'
  const tokens = await oidc.authorizationCodeGrant(configuration, answer, {
    expectedState: trip.state,
    pkceCodeVerifier: derived('verifier', trip.state),
    ...(isOidc && { expectedNonce: derived('nonce', trip.state), idTokenExpected: true }),
  })
  if (!isOidc) return githubPerson(trip.provider, tokens.access_token)
  const claims = tokens.claims()
  if (!claims) throw new Error('The provider sent no ID token.')
  const more =
    claims['email'] === undefined && configuration.serverMetadata().userinfo_endpoint !== undefined
      ? await oidc.fetchUserInfo(configuration, tokens.access_token, claims.sub)
      : {}
  return personIn(claims.sub, { ...more, ...claims })
}

function personIn(subject: string, claims: Readonly<Record<string, unknown>>): UpstreamPerson {
  const { email, email_verified: verified, name } = claims
  return {
    subject: subject.slice(0, 255),
    name: typeof name === 'string' ? name.slice(0, 200) : '',
    // Only the word true: "true" and what is left away are what some providers say about addresses that anybody claims.
    verifiedEmail: verified === true && typeof email === 'string' ? email : undefined,
  }
}

interface GithubEmail {
  readonly email: string
  readonly primary: boolean
  readonly verified: boolean
}

async function githubPerson({ issuer }: Provider, accessToken: string): Promise<UpstreamPerson> {
  const api = issuer === GITHUB ? 'https://api.github.com' : `${issuer}/api/v3`
  const get = async <T>(path: string): Promise<T> => {
    const answer = await fetch(api + path, {
      headers: { authorization: `Bearer ${accessToken}`, accept: 'application/vnd.github+json' },
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000),
    })
    if (!answer.ok) throw new Error(`GitHub answered ${answer.status}.`)
    return (await answer.json()) as T
  }
  const { id, name } = await get<{ id: number; name: string | null }>('/user')
  if (!Number.isSafeInteger(id)) throw new Error('GitHub named nobody.')
  const emails = await get<GithubEmail[]>('/user/emails')
  const primary = emails.find((one) => one.primary && one.verified === true)
  return personIn(String(id), { name, email: primary?.email, email_verified: primary !== undefined })
}

async function configurationOf({ provider, clientSecret }: Trip): Promise<oidc.Configuration> {
  const { issuer, clientId, kind } = provider
  const client = { client_secret: clientSecret }
  if (kind === 'github') {
    const base = `${issuer}/login/oauth`
    const server = {
      issuer,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/access_token`,
    }
    const configuration = new oidc.Configuration(server, clientId, client)
    configuration.timeout = TIMEOUT_SECONDS
    if (issuer.startsWith('http:')) oidc.allowInsecureRequests(configuration)
    return configuration
  }
  const name = JSON.stringify([provider.id, provider.updatedAtMs, issuer, clientId])
  const before = known.get(name)
  if (before && before.until > performance.now()) return before.found
  if (known.size > 100) known.clear()
  const found = oidc.discovery(new URL(issuer), clientId, client, undefined, {
    timeout: TIMEOUT_SECONDS,
    execute: issuer.startsWith('http:') ? [oidc.allowInsecureRequests] : [],
  })
  known.set(name, { until: performance.now() + DISCOVERY_MS, found })
  // What failed is asked again at the next try.
  found.catch(() => known.delete(name))
  return found
}

/** 256 bits that only whoever has the state can make. */
function derived(what: 'nonce' | 'verifier', state: string): string {
  return createHmac('sha256', state).update(what).digest('base64url')
}
