/** /v1/revocations */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { BulkFilter, bulkRevoke, previewBulk, readFilter, requireCount } from '../api-keys/index.ts'
import type { ChainedEvent } from '../audit/index.ts'
import {
  create,
  declareRoute,
  IdParams,
  Nullable,
  PageOf,
  PageQuery,
  parseTime,
  Reason,
  Rfc3339,
  sendJson,
  TenantId,
} from '../http/index.ts'
import { type Caller, ERRORS, invalid, PosternError, rfc3339 } from '../kernel/index.ts'
import type { Idempotency } from '../storage/index.ts'
import { type BlastRadius, blastRadius } from './blast-radius.ts'
import { ENDING_ACTIONS, getRevocation, listRevocations } from './list-revocations.ts'
import {
  applyTargets,
  type Outcome,
  type Prepared,
  prepareTargets,
  type RevokingPorts,
} from './revoke-targets.ts'
import { checkTarget, REVOKING_SCOPES, TARGET_KINDS } from './target.ts'

export interface RevocationRoutes extends RevokingPorts {
  readonly idempotency: Idempotency
  /** After a change of the signing keys: this process knows of it before it answers. */
  keysChanged(): Promise<void>
}

const Id = Type.String({ minLength: 1, maxLength: 500, pattern: '^[^\\u0000]+$' })
const Kind = Type.Enum([...TARGET_KINDS])
const MOST_TARGETS = 1_000

const TargetBody = Type.Object({
  kind: Kind,
  id: Type.Optional(Id),
  token: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 8_192,
      description: 'A token as it was presented, instead of its id. It is neither kept nor logged.',
    }),
  ),
  tenant: Type.Optional(TenantId),
})

const OutcomeBody = Type.Object({
  kind: Kind,
  id: Type.String(),
  tenant: Nullable(Type.String()),
  status: Type.Enum(['revoked', 'already_revoked', 'refused']),
  revocation: Nullable(Type.String({ description: 'To look back at: /v1/revocations/{id}.' })),
  at: Nullable(Rfc3339),
  code: Type.Optional(Type.Enum(Object.keys(ERRORS))),
  detail: Type.Optional(Type.String()),
})
const RadiusBody = Type.Object({
  keys: Type.Integer(),
  operators: Type.Integer({ description: 'Keys of operators of the tenants: they end as well.' }),
  sessions: Type.Integer(),
  grants: Type.Integer(),
  clients: Type.Integer(),
  tokens: Type.Object({
    at_most: Type.Integer(),
    counted: Type.String({ description: 'How: access tokens are not kept.' }),
  }),
})
const Answer = Type.Object({
  dry_run: Type.Boolean(),
  revoked: Type.Integer({ description: 'Of a dry run: how many would be.' }),
  targets: Type.Array(OutcomeBody),
  blast_radius: Type.Optional(RadiusBody),
})
const RevocationBody = Type.Object({
  id: Type.String(),
  at: Rfc3339,
  kind: Type.String(),
  target: Type.String(),
  tenant: Nullable(Type.String()),
  action: Type.String({ description: 'What was done, as the audit names it.' }),
  reason: Nullable(Type.String()),
  actor: Type.Object({ type: Type.String(), id: Type.String() }),
})

const tags = ['Revocations']
const read = { kind: 'management', scope: 'audit:read' } as const
const [scope, ...orScopes] = REVOKING_SCOPES as [string, ...string[]]

/** Leaves nothing behind. */
class DryRun extends Error {
  readonly outcomes: Outcome[]
  constructor(outcomes: Outcome[]) {
    super('a dry run')
    this.outcomes = outcomes
  }
}

export function revocationRoutes(server: FastifyInstance, ports: RevocationRoutes): void {
  const { storage, context, idempotency } = ports
  const { changes } = context

  declareRoute(server, {
    method: 'POST',
    url: '/v1/revocations',
    access: { kind: 'management', scope, orScopes },
    summary: 'Revoke anything',
    description: `At most ${MOST_TARGETS} targets at once, all in one transaction, or all API keys that match a filter. A dry run says how far it reaches and changes nothing. Each kind asks for the scope that changing it does.`,
    tags,
    idempotent: true,
    bodyLimit: 4 * 1024 * 1024,
    schema: {
      body: Type.Object({
        targets: Type.Optional(Type.Array(TargetBody, { minItems: 1, maxItems: MOST_TARGETS })),
        filter: Type.Optional(BulkFilter),
        expected_count: Type.Optional(
          Type.Integer({
            minimum: 0,
            description: 'With a filter: refuse when another number of keys matches.',
          }),
        ),
        dry_run: Type.Optional(Type.Boolean()),
        reason: Type.Optional(Reason),
      }),
      response: { 200: Answer },
    },
    async handler(request, reply) {
      const { caller, body } = request
      const { targets, filter, reason, dry_run: dryRun = false } = body
      if ((targets === undefined) === (filter === undefined))
        throw invalid(targets ? '/filter' : '/targets', 'Give `targets` or a `filter`, one of them.')
      if (filter !== undefined) return revokeByFilter(ports, caller, { ...body, filter })
      const wanted = targets ?? []
      for (const [index, target] of wanted.entries()) checkTarget(caller, target, `/targets/${index}`)
      const prepared = await prepareTargets(ports, caller, wanted, reason)
      if (dryRun) return sendJson(reply, await dryRunOf(ports, prepared))
      const answer = await create(idempotency, request, reply, 200, async (tx) =>
        answerOf(await applyTargets(tx, changes, prepared), false),
      )
      if (wanted.some(({ kind }) => kind === 'signing_key')) await ports.keysChanged()
      return answer
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/revocations',
    access: read,
    summary: 'List what was revoked',
    description:
      'Newest first, whichever way it was ended. A tenant operator sees what concerns that tenant.',
    tags,
    schema: {
      querystring: Type.Object({
        ...PageQuery,
        kind: Type.Optional(Type.Enum([...new Set(Object.values(ENDING_ACTIONS))])),
        tenant: Type.Optional(TenantId),
        since: Type.Optional(Rfc3339),
      }),
      response: { 200: PageOf(RevocationBody) },
    },
    async handler({ caller, query }) {
      const { kind, tenant } = query
      const sinceMs = parseTime('/since', query.since)
      const page = await listRevocations(storage, caller, { kind, tenant, sinceMs }, query)
      return { data: page.data.map(present), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/revocations/:id',
    access: read,
    summary: 'Read one revocation',
    tags,
    schema: { params: IdParams, response: { 200: RevocationBody } },
    handler: async ({ caller, params }) => present(await getRevocation(storage, caller, params.id)),
  })
}

/** The very same, rolled back. */
async function dryRunOf(
  { storage, context }: RevocationRoutes,
  prepared: readonly Prepared[],
): Promise<string> {
  const { changes } = context
  const outcomes = await storage
    .write<Outcome[]>(async (tx) => {
      throw new DryRun(await applyTargets(tx, changes, prepared))
    })
    .catch((error: unknown) => {
      if (error instanceof DryRun) return error.outcomes
      throw error
    })
  const answer = answerOf(outcomes, true)
  const reached = outcomes.filter(({ status }) => status === 'revoked')
  return JSON.stringify({
    ...answer,
    blast_radius: await blastRadius(storage, reached, changes.clock.nowMs()),
  })
}

/** Nothing would be looked back at that never was. */
function answerOf(outcomes: readonly Outcome[], dryRun: boolean): Static<typeof Answer> {
  const [only] = outcomes
  if (outcomes.length === 1 && only?.code !== undefined)
    throw new PosternError(only.code, only.detail ?? ERRORS[only.code].title)
  return {
    dry_run: dryRun,
    revoked: outcomes.filter(({ status }) => status === 'revoked').length,
    targets: outcomes.map((outcome) =>
      dryRun ? { ...outcome, revocation: null, at: null } : { ...outcome },
    ),
  }
}

async function revokeByFilter(
  { storage, context }: RevocationRoutes,
  caller: Caller,
  body: {
    readonly filter: Static<typeof BulkFilter>
    readonly expected_count?: number | undefined
    readonly dry_run?: boolean | undefined
    readonly reason?: string | undefined
  },
): Promise<Static<typeof Answer>> {
  if (!caller.scopes.includes('keys:write'))
    throw new PosternError('forbidden', 'Revoking this kind needs the scope keys:write.')
  if (Object.keys(body.filter).length === 0)
    throw invalid('/filter', 'Name at least one member to filter by.')
  const nowMs = context.changes.clock.nowMs()
  const asked = await readFilter(storage, caller, body.filter)
  // What is issued while this runs was not meant.
  const filter = { ...asked, unrevoked: true, createdBeforeMs: asked.createdBeforeMs ?? nowMs + 1 }
  await requireCount(storage, caller, filter, body.expected_count, nowMs)
  if (!body.dry_run) {
    const revoked = await bulkRevoke(storage, context, caller, filter, body.reason)
    return { dry_run: false, revoked, targets: [] }
  }
  const { matched } = await previewBulk(storage, caller, filter, nowMs)
  const { tokens } = await blastRadius(storage, [{ kind: 'api_key', id: '', tenant: null }], nowMs)
  const radius: BlastRadius = { keys: matched, operators: 0, sessions: 0, grants: 0, clients: 0, tokens }
  return { dry_run: true, revoked: matched, targets: [], blast_radius: radius }
}

function present(event: ChainedEvent): Static<typeof RevocationBody> {
  const data = JSON.parse(event.data) as { reason?: string | null }
  return {
    id: event.id,
    at: rfc3339(event.at),
    kind: ENDING_ACTIONS[event.action] as string,
    target: event.targetId,
    tenant: event.tenant,
    action: event.action,
    reason: data.reason ?? null,
    actor: { type: event.actorType, id: event.actorId },
  }
}
