/** A route on the wire: of the management API, and of the file. */
import { Type, type Static } from 'typebox'
import { Nullable, Rfc3339, ScopeName, TenantId } from '../http/index.ts'
import { rfc3339 } from '../kernel/index.ts'
import type { RoutePatch } from './change-routes.ts'
import { type GatewayRoute, WELCOME } from './route.ts'

const Word = (longest: number) =>
  Type.String({ minLength: 1, maxLength: longest, pattern: '^[^\\u0000-\\u001F\\u007F]+$' })

export const Rules = {
  host: Type.String({ minLength: 1, maxLength: 255, examples: ['app.example.com', '*.example.com'] }),
  path: Type.String({
    minLength: 1,
    maxLength: 500,
    examples: ['/', '/orders', '/v1/*/invoices', '/files/**'],
  }),
  methods: Type.Array(Type.String({ maxLength: 20 }), { maxItems: 20, description: 'None: every method.' }),
  resource: Nullable(Type.String({ minLength: 3, maxLength: 500, description: 'Its URI.' })),
  scopes: Type.Array(ScopeName, { maxItems: 50 }),
  tenant: Nullable(TenantId),
  credentials: Type.Array(Type.Enum([...WELCOME]), { maxItems: 3 }),
  roles: Type.Array(Word(100), { maxItems: 50, description: 'One of them is needed.' }),
  anonymous: Type.Boolean({ description: 'Whoever brings no credential passes, without an identity.' }),
  acr_values: Type.Array(Word(200), { maxItems: 10 }),
  max_age: Nullable(
    Type.Integer({ minimum: 0, maximum: 31_536_000, description: 'Seconds since the sign-in.' }),
  ),
  upstream: Nullable(
    Type.String({ minLength: 3, maxLength: 500, description: 'The `aud` of the identity token.' }),
  ),
  position: Type.Integer({ minimum: 0, maximum: 1_000_000_000, description: 'Lower ones are tried first.' }),
}

const { host, ...others } = Rules
const optional = Object.fromEntries(
  Object.entries(others).map(([name, schema]) => [name, Type.Optional(schema)]),
) as unknown as { [K in keyof typeof others]: Type.TOptional<(typeof others)[K]> }

export const RouteInputSchema = Type.Object({ host, ...optional })
export const RoutePatchSchema = Type.Object({ host: Type.Optional(host), ...optional }, { minProperties: 1 })

export const RouteBody = Type.Object({
  id: Type.String(),
  ...Rules,
  source: Type.Enum(['api', 'file']),
  created_at: Rfc3339,
  updated_at: Rfc3339,
})

export function rulesOf(body: Static<typeof RoutePatchSchema>): RoutePatch {
  return {
    host: body.host,
    path: body.path,
    methods: body.methods,
    resource: body.resource,
    scopes: body.scopes,
    tenant: body.tenant,
    credentials: body.credentials,
    roles: body.roles,
    anonymous: body.anonymous,
    acrValues: body.acr_values,
    maxAgeSeconds: body.max_age,
    upstream: body.upstream,
    position: body.position,
  }
}

export function presentRoute(route: GatewayRoute): Static<typeof RouteBody> {
  return {
    id: route.id,
    host: route.host,
    path: route.path,
    methods: [...route.methods],
    resource: route.resource,
    scopes: [...route.scopes],
    tenant: route.tenant,
    credentials: [...route.credentials],
    roles: [...route.roles],
    anonymous: route.anonymous,
    acr_values: [...route.acrValues],
    max_age: route.maxAgeSeconds,
    upstream: route.upstream,
    position: route.position,
    source: route.id.startsWith('file:') ? 'file' : 'api',
    created_at: rfc3339(route.createdAtMs),
    updated_at: rfc3339(route.updatedAtMs),
  }
}
