/**
 * Routes as configuration: a TOML file of `[[routes]]`, tried before those of the management API. Read once, at the
 * start: what is wrong in it stops the start with a sentence that says which route, and what.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { PosternError } from '../kernel/index.ts'
import { checkRoute, type GatewayRoute, MOST_ROUTES, ROUTE_DEFAULTS, type RouteRules } from './route.ts'

type Reader = (value: unknown) => boolean

const isText: Reader = (value) => typeof value === 'string' && value !== '' && value.length <= 500
const areTexts: Reader = (value) => Array.isArray(value) && value.length <= 50 && value.every(isText)

const MEMBERS: Readonly<Record<string, readonly [keyof RouteRules, Reader, string]>> = {
  host: ['host', isText, 'a text'],
  path: ['path', isText, 'a text'],
  methods: ['methods', areTexts, 'a list of texts'],
  resource: ['resource', isText, 'a text'],
  scopes: ['scopes', areTexts, 'a list of texts'],
  tenant: ['tenant', isText, 'a text'],
  credentials: [
    'credentials',
    (value) => areTexts(value) && (value as string[]).every(isKind),
    'a list of api_key, access_token and session',
  ],
  roles: ['roles', areTexts, 'a list of texts'],
  anonymous: ['anonymous', (value) => typeof value === 'boolean', 'true or false'],
  acr_values: ['acrValues', areTexts, 'a list of texts'],
  max_age: [
    'maxAgeSeconds',
    (value) => Number.isSafeInteger(value) && (value as number) >= 0,
    'a number of seconds',
  ],
  upstream: ['upstream', isText, 'a text'],
}

function isKind(word: string): boolean {
  return (ROUTE_DEFAULTS.credentials as readonly string[]).includes(word)
}

/** Throws an Error with a sentence for the operator. */
export function readRoutesFile(fileName: string, nowMs: number): GatewayRoute[] {
  // Loaded only where there is a file.
  const { parse } = createRequire(import.meta.url)('smol-toml') as typeof import('smol-toml')
  let table: Record<string, unknown>
  try {
    table = parse(readFileSync(fileName, 'utf8'))
  } catch (error) {
    throw new Error(`The gateway routes in ${fileName} cannot be read: ${(error as Error).message}`, {
      cause: error,
    })
  }
  const { routes = [], ...others } = table
  const unknown = Object.keys(others)[0]
  if (unknown !== undefined) throw new Error(`${fileName} has "${unknown}"; expected [[routes]] alone.`)
  if (!Array.isArray(routes) || routes.length > MOST_ROUTES)
    throw new Error(`${fileName} has no list of at most ${MOST_ROUTES} [[routes]].`)
  return routes.map((route, index) => readRoute(route, `${fileName}, route ${index + 1}`, index + 1, nowMs))
}

function readRoute(value: unknown, place: string, number: number, nowMs: number): GatewayRoute {
  if (typeof value !== 'object' || value === null) throw new Error(`${place}: expected a table.`)
  const rules: Partial<Record<keyof RouteRules, unknown>> = {}
  for (const [name, member] of Object.entries(value)) {
    const known = MEMBERS[name]
    if (!known)
      throw new Error(`${place}: "${name}" is not known; there are ${Object.keys(MEMBERS).join(', ')}.`)
    const [property, fits, expected] = known
    if (!fits(member)) throw new Error(`${place}: "${name}" must be ${expected}.`)
    rules[property] = member
  }
  if (rules.host === undefined) throw new Error(`${place}: "host" is missing.`)
  const route = {
    ...ROUTE_DEFAULTS,
    ...(rules as Partial<RouteRules> & Pick<RouteRules, 'host'>),
    id: `file:${number}`,
    position: 0,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
  try {
    checkRoute(route)
  } catch (error) {
    if (error instanceof PosternError) throw new Error(`${place}: ${error.message}`, { cause: error })
    throw error
  }
  return route
}
