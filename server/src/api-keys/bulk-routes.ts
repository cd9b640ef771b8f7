/** /v1/keys/bulk-revoke, bulk-rotate, import, export. */
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import {
  declareRoute,
  idempotencyOf,
  Metadata,
  Name,
  parseTime,
  Reason,
  Scopes,
  TenantId,
} from '../http/index.ts'
import { invalid } from '../kernel/index.ts'
import { getResource } from '../resources/index.ts'
import { impliedTenant } from '../tenants/index.ts'
import { bulkRevoke, previewBulk, requireCount } from './bulk.ts'
import { eligible, streamRotations } from './bulk-rotation.ts'
import { BulkFilter, FilterMembers, readFilter } from './filter-schema.ts'
import { importApiKeys, MOST_IMPORTED_AT_ONCE } from './import-api-keys.ts'
import { KeyBody } from './present-key.ts'
import { listApiKeys } from './read-api-keys.ts'
import { ExpiresAt, ExpiresIn, IpAllow, type KeyRoutes, OverlapSeconds, Owner } from './routes.ts'

const write = { kind: 'management', scope: 'keys:write' } as const
const tags = ['API keys in bulk']

const Bulk = {
  filter: BulkFilter,
  dry_run: Type.Optional(Type.Boolean({ description: 'Only say what would be touched.' })),
  expected_count: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'Refuse when another number of keys matches: take it from a dry run.',
    }),
  ),
}
const Preview = {
  matched: Type.Integer(),
  by_owner: Type.Array(Type.Object({ owner: Type.String(), count: Type.Integer() })),
  sample: Type.Array(KeyBody),
}

const Imported = Type.Object({
  digest: Type.String({ minLength: 43, maxLength: 64 }),
  encoding: Type.Enum(['hex', 'base64']),
  algorithm: Type.Enum(['sha256']),
  prefix: Type.String({ maxLength: 32, pattern: '^[^\\u0000-\\u0020]*$' }),
  last4: Type.Optional(Type.String({ maxLength: 4, pattern: '^[^\\u0000]*$' })),
  owner: Owner,
  name: Type.Optional(Name),
  scopes: Scopes,
  environment: Type.Optional(Type.Enum(['live', 'test'])),
  expires_at: ExpiresAt,
  expires_in_seconds: ExpiresIn,
  ip_allow: Type.Optional(IpAllow),
  metadata: Type.Optional(Metadata),
})

export function bulkKeyRoutes(server: FastifyInstance, routes: KeyRoutes): void {
  const { storage, context, present } = routes
  const now = (): number => context.changes.clock.nowMs()

  declareRoute(server, {
    method: 'POST',
    url: '/v1/keys/bulk-revoke',
    access: write,
    summary: 'Revoke all keys that match a filter',
    description: 'In batches, each at once durable. Safe to repeat.',
    tags,
    schema: {
      body: Type.Object({ ...Bulk, reason: Type.Optional(Reason) }),
      response: { 200: Type.Object({ dry_run: Type.Boolean(), ...Preview, revoked: Type.Integer() }) },
    },
    async handler({ caller, body }) {
      const asked = await readFilter(storage, caller, body.filter)
      const filter = { ...asked, createdBeforeMs: asked.createdBeforeMs ?? now() + 1 }
      requireMembers(body.filter)
      await requireCount(storage, caller, filter, body.expected_count, now())
      const { matched, byOwner, sample } = await previewBulk(storage, caller, filter, now())
      const revoked = body.dry_run ? 0 : await bulkRevoke(storage, context, caller, filter, body.reason)
      return {
        dry_run: body.dry_run ?? false,
        matched,
        revoked,
        by_owner: [...byOwner],
        sample: await present.keys(sample),
      }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/keys/bulk-rotate',
    access: write,
    summary: 'Rotate all active keys that match a filter',
    description:
      'A line of JSON for each key, with the new key in it, then `{"done":true}`. Give an Idempotency-Key: a stream that was cut goes on where it stopped, after the lines that were sent before.',
    tags,
    idempotent: true,
    schema: {
      body: Type.Object({ ...Bulk, overlap_seconds: Type.Optional(OverlapSeconds) }),
      response: {
        200: {
          description: 'A dry run as JSON; otherwise one line of JSON for each key.',
          content: {
            'application/json': { schema: Type.Object({ dry_run: Type.Boolean(), ...Preview }) },
            'application/x-ndjson': { schema: Type.String() },
          },
        },
      },
    },
    async handler(request, reply) {
      const { caller, body } = request
      requireMembers(body.filter)
      const filter = await readFilter(storage, caller, body.filter)
      const rotated = eligible(filter)
      if (body.dry_run) {
        const { matched, byOwner, sample } = await previewBulk(storage, caller, rotated, now())
        return {
          dry_run: true,
          matched,
          by_owner: byOwner,
          sample: await present.keys(sample),
        }
      }
      const key = idempotencyOf(request)
      const lines = await streamRotations(routes, caller, {
        filter,
        expectedCount: body.expected_count,
        input: { overlapSeconds: body.overlap_seconds },
        request: key && { callerId: caller.id, ...key },
      })
      return reply.header('content-type', 'application/x-ndjson; charset=utf-8').send(lines)
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/keys/import',
    access: write,
    summary: 'Import keys that were hashed elsewhere',
    description: `At most ${MOST_IMPORTED_AT_ONCE} digests at once, all of one tenant and resource. Their holders notice nothing. Only for keys that were drawn at random: a digest of something guessable can be guessed. Repeating it skips what is there.`,
    tags,
    bodyLimit: 4 * 1024 * 1024,
    schema: {
      body: Type.Object({
        high_entropy: Type.Literal(true, {
          description: 'You state that the keys hold at least 128 random bits.',
        }),
        resource: Type.String({ maxLength: 500 }),
        tenant: Type.Optional(TenantId),
        keys: Type.Array(Imported, { minItems: 1, maxItems: MOST_IMPORTED_AT_ONCE }),
      }),
      response: {
        200: Type.Object({
          imported: Type.Integer(),
          skipped: Type.Integer({ description: 'Already there.' }),
          errors: Type.Array(Type.Object({ index: Type.Integer(), detail: Type.String() })),
        }),
      },
    },
    async handler({ caller, body }) {
      const resource = await getResource(storage, caller, body.resource)
      const tenantId = await impliedTenant(storage, caller, body.tenant)
      const keys = body.keys.map((key, index) => ({
        digest: key.digest,
        encoding: key.encoding,
        prefix: key.prefix,
        last4: key.last4,
        owner: key.owner,
        name: key.name,
        scopes: key.scopes,
        environment: key.environment,
        expiresAtMs: parseTime(`/keys/${index}/expires_at`, key.expires_at),
        expiresInSeconds: key.expires_in_seconds,
        ipAllow: key.ip_allow,
        metadata: key.metadata,
      }))
      const where = { tenantId, resourceId: resource.id }
      // A key that stands under a pepper which this node has not read would be imported once more.
      await context.peppers.refresh(storage)
      const { imported, skipped, errors } = await storage.write((tx) =>
        importApiKeys(tx, context, caller, where, keys),
      )
      return { imported, skipped, errors: [...errors] }
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/keys/export',
    access: { kind: 'management', scope: 'keys:read' },
    summary: 'Export API keys',
    description: 'One line of JSON for each key that matches, without secrets and hashes.',
    tags,
    schema: {
      querystring: Type.Object(FilterMembers),
      response: { 200: { content: { 'application/x-ndjson': { schema: Type.String() } } } },
    },
    async handler({ caller, query }, reply) {
      const filter = await readFilter(storage, caller, query)
      async function* lines(): AsyncGenerator<string> {
        let cursor: string | undefined
        do {
          const page = await listApiKeys(storage, caller, filter, { cursor, limit: 100 }, now())
          for (const key of await present.keys(page.data)) yield `${JSON.stringify(key)}\n`
          cursor = page.nextCursor ?? undefined
        } while (cursor !== undefined)
      }
      return reply.header('content-type', 'application/x-ndjson; charset=utf-8').send(Readable.from(lines()))
    },
  })
}

function requireMembers(filter: Static<typeof BulkFilter>): void {
  if (Object.keys(filter).length === 0) throw invalid('/filter', 'Name at least one member to filter by.')
}
