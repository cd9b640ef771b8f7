/** A gateway route: which requests it answers for, and what whoever sends them must bring. */
import { invalid, isScope } from '../kernel/index.ts'

export const WELCOME = ['api_key', 'access_token', 'session'] as const
export type Welcome = (typeof WELCOME)[number]

export interface RouteRules {
  /** Lower case, without a port; `*.example.com` is every host one label below. */
  readonly host: string
  /** A prefix on the boundary of segments; or, with `*` (one segment) or a last `**` (the rest), a pattern of the whole. */
  readonly path: string
  /** Upper case; empty: every method. */
  readonly methods: readonly string[]
  /** The URI of the resource that is called; null only where nobody is asked. */
  readonly resource: string | null
  readonly scopes: readonly string[]
  /** The tenant it belongs to; null: any, and of a person the only one. */
  readonly tenant: string | null
  /** Which credentials are taken. */
  readonly credentials: readonly Welcome[]
  /** One of them is needed, of a person or a token; empty: none. */
  readonly roles: readonly string[]
  /** Whoever brings no credential passes without an identity. */
  readonly anonymous: boolean
  /** RFC 9470: the sign-in was one of these; empty: any. */
  readonly acrValues: readonly string[]
  /** RFC 9470: the sign-in is no older than this. */
  readonly maxAgeSeconds: number | null
  /** The `aud` of the identity token; null: the origin that was called. */
  readonly upstream: string | null
}

export interface GatewayRoute extends RouteRules {
  /** `rte_…`; one from the file is named by its place in it: `file:1`. */
  readonly id: string
  /** Routes are tried in this order, those of one position in the order of their ids. */
  readonly position: number
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

export const ROUTE_DEFAULTS = {
  path: '/',
  methods: [],
  resource: null,
  scopes: [],
  tenant: null,
  credentials: WELCOME,
  roles: [],
  anonymous: false,
  acrValues: [],
  maxAgeSeconds: null,
  upstream: null,
} as const satisfies Omit<RouteRules, 'host'>

export const MOST_ROUTES = 1_000

const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
const HOST = new RegExp(`^(\\*\\.)?${LABEL}(\\.${LABEL})*$|^\\[[0-9a-f:.]+\\]$`)
const SEGMENT = /^[^\s/\\;?#*%]+$/

/** Throws `invalid_request` for the first rule that is broken. A route that means nothing is refused, not ignored. */
export function checkRoute(route: RouteRules): void {
  if (!HOST.test(route.host) || route.host.length > 253)
    throw invalid(
      '/host',
      'A host is a name in lower case without a port, such as app.example.com or *.example.com.',
    )
  checkPath(route.path)
  if (route.methods.some((method) => !/^[A-Z]{1,20}$/.test(method)))
    throw invalid('/methods', 'Methods are words in capitals, such as GET.')
  if (route.scopes.some((scope) => !isScope(scope)))
    throw invalid('/scopes', 'A scope name is printable ASCII without spaces, " and \\.')
  if (route.upstream !== null && !URL.canParse(route.upstream))
    throw invalid('/upstream', 'The upstream is named by an absolute URI, like https://orders.internal.')
  if (route.resource === null) {
    if (!route.anonymous)
      throw invalid('/resource', 'Only an anonymous route has no resource: name the one that is called.')
    if (route.scopes.length + route.roles.length + route.acrValues.length > 0 || route.maxAgeSeconds !== null)
      throw invalid('/resource', 'Without a resource nobody is asked for anything.')
  }
  if (route.credentials.length === 0) throw invalid('/credentials', 'Name at least one kind of credential.')
}

/** What a request's path can never be is no path of a route either. */
function checkPath(path: string): void {
  const segments = path.split('/').slice(1)
  if (segments.at(-1) === '') segments.pop()
  const faulty = segments.findIndex(
    (segment, index) =>
      segment === '.' ||
      segment === '..' ||
      !(SEGMENT.test(segment) || segment === '*' || (segment === '**' && index === segments.length - 1)),
  )
  if (!path.startsWith('/') || faulty >= 0)
    throw invalid(
      '/path',
      'A path starts with / and has plain segments; * stands for one whole segment, ** at the end for the rest.',
    )
}
