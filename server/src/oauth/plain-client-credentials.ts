/**
 * The most frequent request of all, past the engine's machinery: a registered client with a good secret asks for an
 * ordinary JWT of its own (RFC 6749, section 4.4). Only ever a yes, and only to what is written here; whatever is unusual
 * or not good is answered by the engine, from the beginning, as if nobody had asked here. So the engine alone says what
 * is refused and how, and knows DPoP, assertions, opaque tokens and everything else.
 *
 * Nothing is remembered from one request to the next: position, client and resource are read from the primary each time.
 */
import { randomUUID } from 'node:crypto'
import type { Provider } from 'oidc-provider'
import { missingScopes } from '../kernel/index.ts'
import { readFeedHead } from '../revocation/index.ts'
import { issueAccessToken } from './access-token.ts'
import { type EngineClient, privilegesOf } from './client-metadata.ts'
import type { OAuthPorts } from './ports.ts'
import { onlyResource, resourceOfUri, scopesFor } from './resource-servers.ts'

export interface PlainRequest {
  /** The header, whole. */
  readonly authorization: string | undefined
  /** The parameters; each came once. */
  readonly form: Readonly<Record<string, string>>
}

/** What the token endpoint answers (RFC 6749, section 5.1), and to whom. */
export interface PlainToken {
  readonly body: {
    readonly access_token: string
    readonly expires_in: number
    readonly scope: string
    readonly token_type: 'Bearer'
  }
  readonly client: EngineClient
}

/** As far as the engine's client is asked here: for what it has checked when it was made. */
interface SecretClient extends EngineClient {
  readonly dpopBoundAccessTokens?: boolean
  readonly scope?: string
  checkClientSecretExpiration(message: string): void
  compareClientSecret(presented: string): boolean
}

const PARAMETERS = new Set(['grant_type', 'client_id', 'client_secret', 'scope', 'resource'])
const SECRET_METHODS = new Set(['client_secret_basic', 'client_secret_post'])

/** Our own client ids and secrets have no character that either way of sending them would encode. */
const CREDENTIALS = /^(cli_\w+):(\w+)$/

/** Undefined: ask the engine. */
export async function grantPlainly(
  ports: OAuthPorts,
  provider: Provider,
  { authorization, form }: PlainRequest,
): Promise<PlainToken | undefined> {
  const { storage, clock, issuer } = ports
  if (form['grant_type'] !== 'client_credentials') return undefined
  for (const name in form) if (!PARAMETERS.has(name) || form[name] === '') return undefined
  const credentials = credentialsOf(authorization, form)
  if (!credentials) return undefined

  // Before anything is checked: a revocation from now on outranks the token.
  const { seq: rsn } = await readFeedHead(storage.read())
  const [id, secret] = credentials
  const client = (await provider.Client.find(id)) as unknown as SecretClient | undefined
  if (!client || !SECRET_METHODS.has(client.clientAuthMethod)) return undefined
  client.checkClientSecretExpiration('its client secret is expired')
  if (!client.compareClientSecret(secret)) return undefined
  if (!client.grantTypeAllowed('client_credentials')) return undefined
  const tenant = privilegesOf(client)?.tenantId
  if (tenant === undefined || tenant === null || client.dpopBoundAccessTokens || client.scope !== undefined)
    return undefined

  const resource = await (form['resource'] === undefined
    ? onlyResource(storage, client)
    : resourceOfUri(storage, form['resource']))
  const allowed = resource && scopesFor(client, resource)
  if (!resource || resource.accessTokenFormat !== 'jwt' || !allowed || allowed.length === 0) return undefined
  const scopes = form['scope'] === undefined ? allowed : [...new Set(form['scope'].split(' '))]
  if (missingScopes(allowed, scopes).length > 0) return undefined

  const scope = scopes.join(' ')
  const iat = Math.floor(clock.nowMs() / 1000)
  const { clientId } = client
  const token = await issueAccessToken(ports, resource, {
    iss: issuer,
    sub: clientId,
    aud: resource.uri,
    exp: iat + resource.tokenLifetimeSeconds,
    iat,
    jti: randomUUID(),
    client_id: clientId,
    scope,
    rsn,
    tenant,
  })
  const body = {
    access_token: token,
    expires_in: resource.tokenLifetimeSeconds,
    scope,
    token_type: 'Bearer',
  } as const
  return { body, client }
}

/** The id and the secret, sent in one way alone (RFC 6749, section 2.3). */
function credentialsOf(
  authorization: string | undefined,
  { client_id: id, client_secret: secret }: Readonly<Record<string, string>>,
): readonly [id: string, secret: string] | undefined {
  let text = `${id}:${secret}`
  if (authorization !== undefined) {
    if (id !== undefined || secret !== undefined || !authorization.startsWith('Basic ')) return undefined
    const encoded = authorization.slice('Basic '.length)
    text = Buffer.from(encoded, 'base64').toString('latin1')
    // One text has one form; whether another one may pass is not for here to say.
    if (Buffer.from(text, 'latin1').toString('base64') !== encoded) return undefined
  }
  const [, sentId, sentSecret] = CREDENTIALS.exec(text) ?? []
  return sentId === undefined || sentSecret === undefined ? undefined : [sentId, sentSecret]
}
