/** /v1/trusted-issuers */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import {
  create,
  declareRoute,
  IdParams,
  Name,
  Nullable,
  parseTime,
  Reason,
  Rfc3339,
  ScopeName,
  Scopes,
  TenantId,
} from '../http/index.ts'
import { invalid, notFound, requireDeployment, rfc3339 } from '../kernel/index.ts'
import { getResource } from '../resources/index.ts'
import type { Idempotency, Storage } from '../storage/index.ts'
import {
  createTrustedIssuer,
  DEFAULT_ALGORITHMS,
  deleteTrustedIssuer,
  type IssuerContext,
  revokeForeignToken,
  revokeIssuedBefore,
  updateTrustedIssuer,
} from './change-trusted-issuers.ts'
import type { ClaimsMap, TrustedIssuer } from './trusted-issuer.ts'
import { selectTrustedIssuers } from './trusted-issuer-store.ts'

export interface TrustedIssuerRoutes extends IssuerContext {
  readonly storage: Storage
  readonly idempotency: Idempotency
}

/** No control characters: what a claim's name or value may be. */
const Words = (longest: number) =>
  Type.String({ minLength: 1, maxLength: longest, pattern: '^[^\\u0000-\\u001F\\u007F]+$' })
const Path = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001F\\u007F]+$',
  description: "A claim's name, or a JSON Pointer to it when it begins with `/`.",
  examples: ['scope', '/realm_access/roles'],
})
const Claims = Type.Object({
  sub: Type.Optional(Path),
  scopes: Type.Optional(Path),
  scope_map: Type.Optional(
    Nullable(
      Type.Record(Words(200), Type.Array(ScopeName, { maxItems: 50 }), {
        maxProperties: 200,
        description: 'Their word → scopes of the resource. Without it, the same words.',
      }),
    ),
  ),
  roles: Type.Optional(Nullable(Path)),
  tenant: Type.Optional(TenantId),
  tenant_claim: Type.Optional(Path),
  tenant_claim_is: Type.Optional(Type.Enum(['id', 'external_id'])),
})
const Settings = {
  name: Name,
  audiences: Type.Array(Words(500), {
    minItems: 1,
    maxItems: 20,
    uniqueItems: true,
    description: 'One of them must be in `aud`.',
  }),
  // Not an enum: the operation says why HS256 is refused.
  algorithms: Type.Array(Type.String({ maxLength: 20 }), { minItems: 1, maxItems: 10, uniqueItems: true }),
  jwks_uri: Nullable(
    Type.String({ maxLength: 2_000, description: 'null: found by OpenID Connect Discovery.' }),
  ),
  claims: Claims,
  longest_token_seconds: Type.Integer({
    minimum: 60,
    maximum: 86_400,
    description: 'A token counts no longer than this after its `iat`, whatever its `exp` says.',
  }),
}
const Input = Type.Object({
  issuer: Type.String({ minLength: 1, maxLength: 500, examples: ['https://example.eu.auth0.com/'] }),
  resource: Type.String({
    maxLength: 500,
    description: 'The id or URI of the resource that its tokens are for.',
  }),
  subject_prefix: Type.Optional(
    Type.String({
      pattern: '^[a-z0-9][a-z0-9.-]{0,62}$',
      description: 'What stands before the `|` in `sub`; the issuer unless told.',
    }),
  ),
  name: Settings.name,
  audiences: Settings.audiences,
  algorithms: Type.Optional(Settings.algorithms),
  jwks_uri: Type.Optional(Settings.jwks_uri),
  claims: Settings.claims,
  longest_token_seconds: Type.Optional(Settings.longest_token_seconds),
})
const Patch = Type.Object(
  {
    name: Type.Optional(Settings.name),
    audiences: Type.Optional(Settings.audiences),
    algorithms: Type.Optional(Settings.algorithms),
    jwks_uri: Type.Optional(Settings.jwks_uri),
    claims: Type.Optional(Settings.claims),
    longest_token_seconds: Type.Optional(Settings.longest_token_seconds),
  },
  { minProperties: 1 },
)
const IssuerBody = Type.Object({
  id: Type.String(),
  issuer: Type.String(),
  resource: Type.String(),
  resource_id: Type.String(),
  subject_prefix: Type.String(),
  name: Type.String(),
  audiences: Type.Array(Type.String()),
  algorithms: Type.Array(Type.String()),
  jwks_uri: Nullable(Type.String()),
  claims: Type.Object({
    sub: Type.String(),
    scopes: Type.String(),
    scope_map: Nullable(Type.Record(Type.String(), Scopes)),
    roles: Nullable(Type.String()),
    tenant: Type.Optional(Type.String()),
    tenant_claim: Type.Optional(Type.String()),
    tenant_claim_is: Type.Optional(Type.String()),
  }),
  longest_token_seconds: Type.Integer(),
  revoked_before: Nullable(Rfc3339),
  created_at: Rfc3339,
  updated_at: Rfc3339,
})

const LONGEST_TOKEN_SECONDS = 86_400
const tags = ['Trusted issuers']
const access = { kind: 'management', scope: 'deployment:write' } as const

export function trustedIssuerRoutes(server: FastifyInstance, ports: TrustedIssuerRoutes): void {
  const { storage, idempotency } = ports
  const issuers = () => selectTrustedIssuers(storage.scan())

  declareRoute(server, {
    method: 'GET',
    url: '/v1/trusted-issuers',
    access,
    summary: 'List the trusted issuers',
    description: 'All of them: there are at most 100.',
    tags,
    schema: { response: { 200: Type.Object({ data: Type.Array(IssuerBody) }) } },
    async handler({ caller }) {
      requireDeployment(caller, 'Reading the trusted issuers')
      return { data: (await issuers()).map(presentIssuer) }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/trusted-issuers',
    access,
    summary: 'Trust an issuer',
    description:
      'Accepts the JWTs of an OpenID provider for one of your resources. Its subjects appear as `<issuer>|<sub>`, so that two issuers never mean the same one.',
    tags,
    idempotent: true,
    schema: { body: Input, response: { 201: IssuerBody } },
    async handler(request, reply) {
      const { body, caller } = request
      requireDeployment(caller, 'Trusting an issuer')
      const resource = await getResource(storage, caller, body.resource)
      const input = {
        issuer: body.issuer,
        resourceId: resource.id,
        subjectPrefix: body.subject_prefix,
        name: body.name,
        audiences: body.audiences,
        algorithms: body.algorithms ?? DEFAULT_ALGORITHMS,
        jwksUri: body.jwks_uri ?? null,
        claims: claimsOf(body.claims),
        longestTokenSeconds: body.longest_token_seconds ?? LONGEST_TOKEN_SECONDS,
      }
      return create(idempotency, request, reply, 201, async (tx) =>
        presentIssuer(await createTrustedIssuer(tx, ports, caller, input)),
      )
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/trusted-issuers/:id',
    access,
    summary: 'Read a trusted issuer',
    tags,
    schema: { params: IdParams, response: { 200: IssuerBody } },
    async handler({ caller, params }) {
      requireDeployment(caller, 'Reading a trusted issuer')
      const issuer = (await issuers()).find(({ id }) => id === params.id)
      if (!issuer) throw notFound('trusted issuer')
      return presentIssuer(issuer)
    },
  })

  declareRoute(server, {
    method: 'PATCH',
    url: '/v1/trusted-issuers/:id',
    access,
    summary: 'Change a trusted issuer',
    description: 'The issuer, its resource and its prefix stay. `claims` is replaced as a whole.',
    tags,
    schema: { params: IdParams, body: Patch, response: { 200: IssuerBody } },
    async handler({ caller, params, body }) {
      const patch = {
        name: body.name,
        audiences: body.audiences,
        algorithms: body.algorithms,
        jwksUri: body.jwks_uri,
        claims: body.claims && claimsOf(body.claims),
        longestTokenSeconds: body.longest_token_seconds,
      }
      return presentIssuer(
        await storage.write((tx) => updateTrustedIssuer(tx, ports, caller, params.id, patch)),
      )
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/trusted-issuers/:id',
    access,
    summary: 'Stop trusting an issuer',
    description: 'All of its tokens stop working at once. This cannot be undone.',
    tags,
    schema: { params: IdParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) => deleteTrustedIssuer(tx, ports, caller, params.id))
      return reply.status(204).send()
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/trusted-issuers/:id/revoke-before',
    access,
    summary: 'Revoke what an issuer has issued so far',
    description:
      'Refuses every token whose `iat` is at `before` (now, unless told) or earlier, by the clock of the issuer. It does not move back.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object({ before: Type.Optional(Rfc3339) }),
      response: { 200: IssuerBody },
    },
    async handler({ caller, params, body }) {
      const beforeMs = parseTime('/before', body.before)
      return presentIssuer(
        await storage.write((tx) => revokeIssuedBefore(tx, ports, caller, params.id, beforeMs)),
      )
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/trusted-issuers/:id/revoke-token',
    access,
    summary: 'Revoke one token of an issuer',
    description: 'By its `jti`. Whether there is such a token cannot be known here.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object({ jti: Words(200), reason: Type.Optional(Reason) }),
      response: { 204: Type.Null() },
    },
    async handler({ caller, params, body }, reply) {
      await storage.write((tx) => revokeForeignToken(tx, ports, caller, params.id, body.jti, body.reason))
      return reply.status(204).send()
    },
  })
}

function claimsOf(claims: Static<typeof Claims>): ClaimsMap {
  if ((claims.tenant === undefined) === (claims.tenant_claim === undefined))
    throw invalid(
      '/claims',
      'Say either tenant (all tokens belong to it) or tenant_claim (where a token names it).',
    )
  return {
    sub: claims.sub ?? 'sub',
    scopes: claims.scopes ?? 'scope',
    scopeMap: claims.scope_map ?? null,
    roles: claims.roles ?? null,
    tenant:
      claims.tenant_claim === undefined
        ? { id: claims.tenant as string }
        : { claim: claims.tenant_claim, by: claims.tenant_claim_is === 'id' ? 'id' : 'external_id' },
  }
}

function presentIssuer(issuer: TrustedIssuer): Static<typeof IssuerBody> {
  const { tenant } = issuer.claims
  return {
    id: issuer.id,
    issuer: issuer.issuer,
    resource: issuer.resourceUri,
    resource_id: issuer.resourceId,
    subject_prefix: issuer.subjectPrefix,
    name: issuer.name,
    audiences: [...issuer.audiences],
    algorithms: [...issuer.algorithms],
    jwks_uri: issuer.jwksUri,
    claims: {
      sub: issuer.claims.sub,
      scopes: issuer.claims.scopes,
      scope_map: issuer.claims.scopeMap as Record<string, string[]> | null,
      roles: issuer.claims.roles,
      ...('id' in tenant
        ? { tenant: tenant.id }
        : { tenant_claim: tenant.claim, tenant_claim_is: tenant.by }),
    },
    longest_token_seconds: issuer.longestTokenSeconds,
    revoked_before: rfc3339(issuer.revokedBefore === null ? null : issuer.revokedBefore * 1000),
    created_at: rfc3339(issuer.createdAtMs),
    updated_at: rfc3339(issuer.updatedAtMs),
  }
}
