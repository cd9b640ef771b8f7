/**
 * What an API says of itself to OAuth clients (RFC 9728): which authorization server to ask for a token, for which
 * resource, with which scopes. A client that is refused finds the document through the challenge, and signs in without
 * having been configured.
 */

export interface ProtectedResourceOptions {
  /** The API's URI, as it is registered and as the verifier has it: an https URL; http for loopback alone. */
  readonly resource: string
  /** The issuer of the Postern deployment: `https://auth.example.com`. Several when more than one issues tokens. */
  readonly authorizationServers: string | readonly string[]
  /** Scopes that clients may ask for. Leave out what not everybody should know of. */
  readonly scopes?: readonly string[]
  /** For people, on the page where they allow a client. */
  readonly name?: string
  /** A page for developers. */
  readonly documentation?: string
  /**
   * Algorithms of DPoP proofs (RFC 9449), where this API takes them: `['ES256', 'EdDSA']`, out of those that are checked.
   * Default: no DPoP.
   */
  readonly dpopAlgorithms?: readonly string[]
  /** Whether tokens have to be bound to a key, as clients are told: a guard does not ask for it. Default false. */
  readonly dpopRequired?: boolean
}

/** RFC 9728, section 2. */
export interface ResourceMetadata {
  readonly resource: string
  readonly authorization_servers: readonly string[]
  readonly scopes_supported?: readonly string[]
  readonly bearer_methods_supported: readonly ['header']
  readonly resource_name?: string
  readonly resource_documentation?: string
  readonly dpop_signing_alg_values_supported?: readonly string[]
  readonly dpop_bound_access_tokens_required?: boolean
}

export interface ProtectedResource {
  readonly resource: string
  readonly metadata: ResourceMetadata
  /** Where the document is: the well-known part comes before the resource's own path. */
  readonly metadataPath: string
  readonly metadataUrl: string
  readonly dpopAlgorithms: readonly string[]
}

/** An answer that any framework can send. */
export interface MetadataAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Those of Postern's own verify. */
const PROOF_ALGORITHMS: ReadonlySet<string> = new Set(
  'ES256 ES384 ES512 EdDSA Ed25519 RS256 RS384 RS512 PS256 PS384 PS512'.split(' '),
)

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/** Throws a TypeError when the options cannot work. */
export function protectedResource(options: ProtectedResourceOptions): ProtectedResource {
  const url = webUrl('resource', options.resource)
  if (url.search !== '')
    throw new TypeError('protectedResource: a resource with a query has no metadata of its own.')
  const servers = [options.authorizationServers].flat() as string[]
  if (servers.length === 0)
    throw new TypeError('protectedResource: authorizationServers must name at least one issuer.')
  for (const server of servers) webUrl('authorizationServers', server)

  const { scopes, name, documentation, dpopAlgorithms = [], dpopRequired = false } = options
  const unchecked = dpopAlgorithms.find((algorithm) => !PROOF_ALGORITHMS.has(algorithm))
  if (unchecked !== undefined)
    throw new TypeError(
      `protectedResource: dpopAlgorithms names ${JSON.stringify(unchecked)}, by which no proof is accepted. ` +
        `There are ${[...PROOF_ALGORITHMS].join(', ')}.`,
    )

  // RFC 9728, section 3.1: the slash that ends the host is not part of a path.
  const metadataPath = `${WELL_KNOWN}${url.pathname === '/' ? '' : url.pathname}`
  return Object.freeze({
    resource: options.resource,
    metadataPath,
    metadataUrl: url.origin + metadataPath,
    dpopAlgorithms: Object.freeze([...dpopAlgorithms]),
    metadata: Object.freeze({
      resource: options.resource,
      authorization_servers: servers,
      ...(scopes && { scopes_supported: [...scopes] }),
      bearer_methods_supported: ['header'],
      ...(name !== undefined && { resource_name: name }),
      ...(documentation !== undefined && { resource_documentation: documentation }),
      ...(dpopAlgorithms.length > 0 && { dpop_signing_alg_values_supported: [...dpopAlgorithms] }),
      ...(dpopRequired && { dpop_bound_access_tokens_required: true }),
    } as const),
  })
}

/**
 * The answer to a request for the metadata, or undefined when the request is for something else. `url` is what the client
 * called, a path or whole.
 */
export function metadataAnswer(
  { metadata, metadataPath }: ProtectedResource,
  method: string | undefined,
  url: string | undefined,
): MetadataAnswer | undefined {
  if (pathOf(url) !== metadataPath) return undefined
  if (method === 'GET' || method === 'HEAD')
    return {
      status: 200,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'public, max-age=3600',
        ...FOR_ANY_PAGE,
      },
      body: method === 'HEAD' ? '' : JSON.stringify(metadata),
    }
  if (method === 'OPTIONS') return { status: 204, headers: { ...FOR_ANY_PAGE, ...PREFLIGHT }, body: '' }
  return { status: 405, headers: { allow: 'GET, HEAD, OPTIONS' }, body: '' }
}

/** There is no secret in it, and clients that run in a page have to read it before they have anything else. */
const FOR_ANY_PAGE = { 'access-control-allow-origin': '*' }
const PREFLIGHT = {
  'access-control-allow-methods': 'GET',
  'access-control-allow-headers': '*',
  'access-control-max-age': '86400',
}

function pathOf(url = ''): string {
  const path = url.startsWith('/') ? url : url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '')
  return path.split(/[?#]/, 1)[0] ?? ''
}

function webUrl(option: string, text: unknown): URL {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined
  const isWeb = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
  if (!url || !isWeb || url.hash !== '' || url.username !== '' || url.password !== '')
    throw new TypeError(
      `protectedResource: ${option} must be an https URL without user and fragment, such as "https://api.example.com". ` +
        'http is taken for loopback alone.',
    )
  return url
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}
