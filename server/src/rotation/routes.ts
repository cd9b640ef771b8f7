/** POST /v1/keys/self/rotate, GET /v1/rotation and GET /v1/reports/compliance. */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { IssuedKeyBody, KeyBody, type KeyContext, type KeyPresenter } from '../api-keys/index.ts'
import {
  declareRoute,
  idempotencyOf,
  Nullable,
  problemOfDenial,
  Rfc3339,
  sendJson,
  sendProblem,
} from '../http/index.ts'
import { coarseNetwork, denial, invalid, keysInUrl, MANAGEMENT_URI, rfc3339 } from '../kernel/index.ts'
import type { Idempotency } from '../storage/index.ts'
import { type DecisionMeter, readCredential, type Verifier } from '../verify/index.ts'
import { type Aging, CREDENTIAL_KINDS, type CredentialKind } from './aging.ts'
import { complianceReport } from './compliance-report.ts'
import { type AgingPorts, findAging } from './find-aging.ts'
import { rotateSelf, SHORTEST_OVERLAP_SECONDS } from './rotate-self.ts'

export interface RotationRoutes extends AgingPorts {
  readonly context: KeyContext
  readonly idempotency: Idempotency
  readonly present: KeyPresenter
  readonly verifier: Verifier
  readonly meter: DecisionMeter
}

const MOST_LISTED = 1_000
const LONGEST_OVERLAP_SECONDS = 30 * 86_400

const AgingBody = Type.Object({
  kind: Type.Enum([...CREDENTIAL_KINDS]),
  id: Type.String(),
  holder: Type.String({ description: 'An owner of keys, a client, a webhook, an algorithm.' }),
  tenant: Nullable(Type.String()),
  resource: Nullable(Type.String({ description: 'Its URI.' })),
  state: Type.Enum(['due', 'overdue']),
  created_at: Rfc3339,
  expires_at: Nullable(Rfc3339),
  due_at: Nullable(Rfc3339),
})
const FiguresBody = Type.Object({ due: Type.Integer(), overdue: Type.Integer() })
const ReportBody = Type.Object({
  at: Rfc3339,
  keys: Type.Object({
    active: Type.Integer(),
    never_expire: Type.Integer(),
    unused_90_days: Type.Integer(),
  }),
  grants: Type.Integer(),
  clients: Type.Integer(),
  users: Type.Integer(),
  rotation: Type.Object(
    Object.fromEntries(CREDENTIAL_KINDS.map((kind) => [kind, FiguresBody])) as Record<
      CredentialKind,
      typeof FiguresBody
    >,
  ),
  listed: Type.Array(AgingBody, { description: 'The first 200, the overdue ones first.' }),
  audit: Type.Object({ seq: Type.Integer(), hash: Type.String() }),
})

export function rotationRoutes(server: FastifyInstance, ports: RotationRoutes): void {
  const { context, idempotency, present, verifier, meter } = ports
  const now = (): number => context.changes.clock.nowMs()

  declareRoute(server, {
    method: 'POST',
    url: '/v1/keys/self/rotate',
    access: { kind: 'public', why: 'The key that is to be replaced is itself the credential.' },
    summary: 'Replace the key that asks',
    description:
      'For whoever holds the key, where its API allows that (`self_rotation`). The answer is the only place where the new key is shown; sent again with the same Idempotency-Key, which is needed, the same one is answered.',
    tags: ['API keys'],
    idempotent: true,
    schema: {
      body: Type.Object({
        overlap_seconds: Type.Optional(
          Type.Integer({
            minimum: SHORTEST_OVERLAP_SECONDS,
            maximum: LONGEST_OVERLAP_SECONDS,
            description: 'How long the old key goes on; a day unless told.',
          }),
        ),
      }),
      response: { 201: Type.Object({ key: IssuedKeyBody, old: KeyBody }) },
    },
    async handler(request, reply) {
      const refuse = (code: Parameters<typeof denial>[0]) =>
        sendProblem(reply, request, problemOfDenial(denial(code)))
      if (keysInUrl(request.url).length > 0) return refuse('exposed_in_url')
      const sent = readCredential(request)
      if ('valid' in sent) return sendProblem(reply, request, problemOfDenial(sent))
      const decision = await verifier.verifyFresh({
        credential: sent.text,
        scopes: [],
        ip: request.ip,
        origin: request.headers.origin,
        secFetchSite: request.headers['sec-fetch-site'] as string | undefined,
        environment: 'any',
        reach: { tenant: null, resources: null },
      })
      meter.noteCaller(decision, { route: 'keys/self/rotate', ip: request.ip })
      if (decision.denial) return sendProblem(reply, request, problemOfDenial(decision.denial))
      const principal = decision.presented?.principal
      if (principal?.credential.type !== 'api_key' || principal.resource === MANAGEMENT_URI)
        return refuse('unsupported')
      const keyId = principal.credential.id
      const key = idempotencyOf(request)
      if (!key) throw invalid('', 'Send an Idempotency-Key: a lost answer would be a lost key.')
      const holder = { keyId, network: coarseNetwork(request.ip) }
      const { overlap_seconds: overlap } = request.body
      const answer = await idempotency.once({ callerId: keyId, ...key }, async (tx) => {
        const { issued, old } = await rotateSelf(tx, context, holder, overlap)
        const body = { key: await present.issued(issued), old: await present.key(old) }
        return { status: 201, body: JSON.stringify(body) }
      })
      return sendJson(reply.status(answer.status), answer.body)
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/rotation',
    access: { kind: 'management', scope: 'keys:read' },
    summary: 'List what is due to be rotated',
    description: `Keys, secrets and signing keys that are near their end or their greatest age, or beyond it and still in force; at most ${MOST_LISTED}.`,
    tags: ['Rotation'],
    schema: {
      querystring: Type.Object({
        kind: Type.Optional(Type.Enum([...CREDENTIAL_KINDS])),
        state: Type.Optional(Type.Enum(['due', 'overdue'])),
      }),
      response: { 200: Type.Object({ data: Type.Array(AgingBody), truncated: Type.Boolean() }) },
    },
    async handler({ caller, query }) {
      const kinds = query.kind === undefined ? CREDENTIAL_KINDS : [query.kind as CredentialKind]
      const data: Static<typeof AgingBody>[] = []
      for await (const aging of findAging(ports, caller, kinds, now())) {
        if (query.state !== undefined && aging.state !== query.state) continue
        if (data.length === MOST_LISTED) return { data, truncated: true }
        data.push(presentAging(aging))
      }
      return { data, truncated: false }
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/reports/compliance',
    access: { kind: 'management', scope: 'audit:read' },
    summary: 'Read a report on the deployment',
    description: 'Expiry, rotation, grants and the head of the audit chain; for deployment operators.',
    tags: ['Rotation'],
    schema: { response: { 200: ReportBody } },
    async handler({ caller }) {
      const { listed, ...report } = await complianceReport(ports, caller, now())
      return { ...report, listed: listed.map(presentAging) }
    },
  })
}

function presentAging(aging: Aging): Static<typeof AgingBody> {
  return {
    kind: aging.kind,
    id: aging.id,
    holder: aging.holder,
    tenant: aging.tenant,
    resource: aging.resource,
    state: aging.state,
    created_at: rfc3339(aging.createdAtMs),
    expires_at: rfc3339(aging.expiresAtMs),
    due_at: rfc3339(aging.dueAtMs),
  }
}
