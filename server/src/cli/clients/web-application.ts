/**
 * `clients create --for web`: the client of an application that signs its users in with `@postern/sdk/web`, and what to
 * copy into that application.
 */
import { randomBytes } from 'node:crypto'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { type ApiClient, call } from '../transport/api-client.ts'
import type { RegisteredClient, WireResource } from '../wire.ts'
import type { SettingsOptions } from './settings.ts'

/** Where the handlers of `createWeb()` are, unless its option `path` says otherwise. */
const HANDLERS = '/auth'

/** The addresses follow from the origin; what was given besides stays. */
export function webSettings(options: SettingsOptions & { readonly origin?: string }): SettingsOptions {
  const { origin, resource, redirectUri, logoutUri, backchannelLogoutUri } = options
  if (origin === undefined || resource?.length !== 1)
    throw usageError(
      '--for web needs the --origin where browsers reach the application, and the one API that it calls, as --resource.',
      "postern clients create --for web --name Shop --origin https://shop.example.com --resource 'https://api.example.com orders:read'",
    )
  const at = originOf(origin)
  return {
    ...options,
    redirectUri: redirectUri ?? [`${at}${HANDLERS}/callback`],
    logoutUri: logoutUri ?? [`${at}/`],
    backchannelLogoutUri: backchannelLogoutUri ?? `${at}${HANDLERS}/backchannel-logout`,
  }
}

export interface WebApplication {
  /** In the order in which they are shown. */
  readonly env: Readonly<Record<string, string>>
  readonly scopes: readonly string[]
}

/** Asked for before the client is made: what fails afterwards would take its secret along. */
export async function issuerOf(client: ApiClient): Promise<string> {
  const path = '/.well-known/oauth-authorization-server'
  return (await call<{ readonly issuer: string }>(client, 'GET', path)).issuer
}

export async function webApplication(
  client: ApiClient,
  registered: RegisteredClient,
  { issuer, origin }: { readonly issuer: string; readonly origin: string },
): Promise<WebApplication> {
  const [granted] = registered.resources
  const id = String(granted?.resource)
  const path = `/v1/resources/${encodeURIComponent(id)}`
  const resource = await call<WireResource>(client, 'GET', path).catch(() => ({ uri: id, scopes: [] }))
  return {
    env: {
      POSTERN_ISSUER: issuer,
      POSTERN_CLIENT_ID: registered.id,
      POSTERN_CLIENT_SECRET: String(registered.client_secret),
      POSTERN_WEB_KEYS: randomBytes(32).toString('base64url'),
      POSTERN_RESOURCE: resource.uri,
      APP_ORIGIN: originOf(origin),
    },
    scopes: granted?.scopes ?? resource.scopes.map(({ name }) => name),
  }
}

export async function printWebApplication({ out }: Cli, { env, scopes }: WebApplication): Promise<void> {
  await out.line('')
  for (const [name, value] of Object.entries(env)) await out.line(`${name}=${value}`)
  await out.line('')
  for (const line of tenLines(scopes)) await out.line(line)
  await out.line('')
  await out.note(
    'The variables hold the client secret and the key that seals cookies. They are shown this once: keep them in a secret store now.',
  )
  await out.note(
    `POSTERN_CREDENTIAL, for the verifier, comes from: postern operators create --name ... --scope verify --resource ${env['POSTERN_RESOURCE']}`,
  )
}

function tenLines(scopes: readonly string[]): string[] {
  const quoted = scopes.map((scope) => `'${scope}'`)
  const list = quoted.join(', ')
  const first = quoted[0] ?? ''
  return `import { createVerifier } from '@postern/sdk'
import { createGuard } from '@postern/sdk/express'
import { createWeb, serveWeb } from '@postern/sdk/web'
const { POSTERN_ISSUER: issuer, POSTERN_CLIENT_ID: clientId, POSTERN_CLIENT_SECRET: clientSecret } = process.env
const { APP_ORIGIN: origin, POSTERN_WEB_KEYS: keys, POSTERN_RESOURCE: resource } = process.env
const verifier = createVerifier({ server: issuer, credential: process.env.POSTERN_CREDENTIAL, resource })
const web = createWeb({ issuer, clientId, clientSecret, origin, keys, resource, scopes: [${list}], verifier })
const postern = createGuard(verifier, { session: web })
app.use(serveWeb(web)) // a link to /auth/login signs in
app.get('/orders', postern(${first}), (req, res) => res.json(req.principal))`.split('\n')
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (
    !url ||
    !/^https?:$/.test(url.protocol) ||
    url.pathname !== '/' ||
    url.search ||
    url.hash ||
    url.username
  )
    throw usageError(
      '--origin must be scheme, host and port alone.',
      'Such as: --origin https://shop.example.com',
    )
  return url.origin
}
