/** The settings of a client, as they are typed. */
import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { jsonObject } from '../input/metadata.ts'
import { listOption, parsedOption } from '../input/options.ts'

export interface SettingsOptions {
  readonly name?: string
  readonly grant?: string[]
  readonly auth?: string
  readonly redirectUri?: string[]
  readonly logoutUri?: string[]
  readonly corsOrigin?: string[]
  readonly resource?: ResourceChoice[]
  readonly introspects?: string[]
  readonly firstParty?: boolean
  readonly dpop?: boolean
  readonly idTokenAlgorithm?: string
  /** False: none any more. */
  readonly jwks?: unknown
  readonly jwksUri?: string | false
  readonly backchannelLogoutUri?: string | false
}

interface ResourceChoice {
  readonly resource: string
  /** Null: all of them. */
  readonly scopes: readonly string[] | null
}

/** The long names have short ones here. */
const GRANTS: Readonly<Record<string, string>> = {
  device_code: 'urn:ietf:params:oauth:grant-type:device_code',
  token_exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
}

export function addSettings(command: Command): Command {
  return command
    .addOption(listOption('--redirect-uri <uri>', 'where users come back to; again for more'))
    .addOption(listOption('--logout-uri <uri>', 'where they may go after signing out; again for more'))
    .addOption(listOption('--cors-origin <origin>', 'of a browser client: where its scripts run'))
    .addOption(
      parsedOption<ResourceChoice[]>(
        '--resource <uri [scopes]>',
        'an API it may ask for, with all scopes or these alone: "https://api.example.com orders:read"',
        (text, before = []) => [...before, parseResource(text)],
      ),
    )
    .addOption(listOption('--introspects <uri>', 'an API that it is, whose tokens it may introspect'))
    .addOption(
      listOption('--grant <type>', `instead of its kind's: ${shortGrants().join(', ')}; again for more`),
    )
    .addOption(
      new Option('--auth <method>', "how it authenticates, instead of its kind's way").choices([
        'none',
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
      ]),
    )
    .addOption(
      new Option('--id-token-algorithm <name>', 'what its ID tokens are signed with (ES256)').choices([
        'ES256',
        'RS256',
        'EdDSA',
      ]),
    )
    .addOption(parsedOption('--jwks <file>', 'its public keys, for private_key_jwt', readJwks))
    .option('--jwks-uri <uri>', 'or where they are')
    .option('--backchannel-logout-uri <uri>', 'told when a session of its users ends')
    .option('--first-party', 'do not ask its users for consent')
    .option('--dpop', 'bind its access tokens to a key of its own, always')
}

/** The ways back, which only a change needs. */
export function addUnsettings(command: Command): Command {
  return command
    .option('--no-first-party', 'ask them')
    .option('--no-dpop', 'only when it asks for that')
    .option('--no-jwks', 'without them')
    .option('--no-jwks-uri', 'without it')
    .option('--no-backchannel-logout-uri', 'without it')
}

export function settingsOf(options: SettingsOptions): Record<string, unknown> {
  const body = {
    name: options.name,
    grant_types: options.grant?.map((type) => GRANTS[type] ?? type),
    auth_method: options.auth,
    redirect_uris: options.redirectUri,
    post_logout_redirect_uris: options.logoutUri,
    cors_origins: options.corsOrigin,
    resources: options.resource,
    introspects: options.introspects,
    first_party: options.firstParty,
    dpop_bound: options.dpop,
    id_token_signed_response_alg: options.idTokenAlgorithm,
    jwks: orNull(options.jwks),
    jwks_uri: orNull(options.jwksUri),
    backchannel_logout_uri: orNull(options.backchannelLogoutUri),
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

/** As `--grant` takes it. */
export function shortGrant(type: string): string {
  return Object.entries(GRANTS).find(([, long]) => long === type)?.[0] ?? type
}

function shortGrants(): string[] {
  return ['authorization_code', 'refresh_token', 'client_credentials', ...Object.keys(GRANTS)]
}

function orNull(value: unknown): unknown {
  return value === false ? null : value
}

/** Neither a URI nor a scope holds a space, so that a space can divide them. */
export function parseResource(text: string): ResourceChoice {
  const [resource, ...scopes] = text.split(/\s+/).filter((word) => word !== '')
  if (resource === undefined) throw new Error('Expected an API, by URI or id, and perhaps scopes of it.')
  return { resource, scopes: scopes.length > 0 ? scopes : null }
}

function readJwks(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`It cannot be read (${(error as NodeJS.ErrnoException).code}).`, { cause: error })
  }
  const value = jsonObject(text)
  // One key alone is a set of one.
  return 'keys' in value ? value : { keys: [value] }
}
