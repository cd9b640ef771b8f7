/**
 * The proxies, one row each: from which headers the original request is read, and which answers it can pass on. What is
 * not in a proxy's row is not looked at: a header that one proxy sets is the client's own word behind another.
 */

export type AdapterName = 'traefik' | 'nginx' | 'caddy' | 'envoy' | 'haproxy'

export interface Adapter {
  readonly name: AdapterName
  /** Lower case. Absent: the request that asks has it itself. */
  readonly headers: {
    readonly method?: string
    readonly uri?: string
    readonly host?: string
    readonly proto: string
    /** The proxy's own peer is the last address in it. */
    readonly from: string
  }
  /** Every status is passed on, or only 401 and 403, with the meant one in `Postern-Status`. */
  readonly statuses: 'all' | 'only_401_and_403'
  /** Whether the answer carries `Cookie` for the upstream, without ours: the others cut it out by themselves. */
  readonly cookie: 'always' | 'when_ours' | 'never'
}

const FORWARDED = {
  method: 'x-forwarded-method',
  uri: 'x-forwarded-uri',
  host: 'x-forwarded-host',
  proto: 'x-forwarded-proto',
  from: 'x-forwarded-for',
} as const
const ORIGINAL = {
  method: 'x-original-method',
  uri: 'x-original-uri',
  host: 'x-original-host',
  proto: 'x-original-proto',
  from: 'x-original-for',
} as const

export const ADAPTERS: Readonly<Record<AdapterName, Adapter>> = {
  // What it copies back it first deletes: without an answer's Cookie the upstream would get none.
  traefik: { name: 'traefik', headers: FORWARDED, statuses: 'all', cookie: 'always' },
  caddy: { name: 'caddy', headers: FORWARDED, statuses: 'all', cookie: 'never' },
  nginx: { name: 'nginx', headers: ORIGINAL, statuses: 'only_401_and_403', cookie: 'never' },
  haproxy: { name: 'haproxy', headers: ORIGINAL, statuses: 'all', cookie: 'never' },
  // It asks with the original method, host and path (below the prefix) themselves.
  envoy: {
    name: 'envoy',
    headers: { proto: 'x-forwarded-proto', from: 'x-forwarded-for' },
    statuses: 'all',
    cookie: 'when_ours',
  },
}

const PREFIX = '/gateway/'

/** Whose endpoint `url` is, with what stands behind it for the one that asks with the original path. */
export function adapterOf(url: string): { adapter: Adapter; rest: string } | undefined {
  if (!url.startsWith(PREFIX)) return undefined
  // Caddy appends the original query to the path it asks at.
  const query = url.indexOf('?')
  const known = fixed.get(query < 0 ? url : url.slice(0, query))
  if (known) return known
  if (!url.startsWith(ENVOY)) return undefined
  const rest = url.slice(ENVOY.length)
  return rest.startsWith('/') ? { adapter: ADAPTERS.envoy, rest } : undefined
}

const ENVOY = `${PREFIX}envoy`
const fixed = new Map(
  Object.values(ADAPTERS)
    .filter(({ headers }) => headers.uri !== undefined)
    .map((adapter) => [PREFIX + adapter.name, { adapter, rest: '' }]),
)
