/** /v1/leaks: what scanners report, what operators report, and looking back. */
import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
import { type ApiKey, KEY_STATUSES, keyStatus } from '../api-keys/index.ts'
import type { ActivityLog } from '../audit/index.ts'
import {
  declareRoute,
  Nullable,
  PageOf,
  PageQuery,
  parseJson,
  Rfc3339,
  sendJson,
  TenantId,
} from '../http/index.ts'
import {
  type Caller,
  coarseNetwork,
  invalid,
  MANAGEMENT_SCOPES,
  PosternError,
  rfc3339,
  systemCaller,
} from '../kernel/index.ts'
import { getResource, reachedResources, type ResourceUris } from '../resources/index.ts'
import { handleReport, type LeakPorts, type Outcome } from './handle-report.ts'
import { type Leak, LEAK_ACTIONS, REPORTERS } from './leak.ts'
import { listLeaks } from './list-leaks.ts'
import { isSentBy } from './prove-sender.ts'
import { place, readReport, sourceWord } from './read-report.ts'
import type { SenderKeys } from './sender-keys.ts'

export interface LeakRoutes extends LeakPorts {
  readonly activity: Pick<ActivityLog, 'record'>
  readonly uris: ResourceUris
  /** Undefined: nobody is believed to be this sender. */
  readonly senders: { readonly github: SenderKeys | undefined; readonly gitlab: SenderKeys | undefined }
}

const MOST_REPORTS = 1_000
/** A commit may hold thousands of them, and one that is too many would leave all of them alive. */
const LARGEST_REPORT = 8 * 1024 * 1024

const FeedbackBody = Type.Array(
  Type.Object({
    token_hash: Type.String({ description: 'SHA-256 of the token, hex.' }),
    token_type: Type.String(),
    label: Type.Enum(['true_positive', 'false_positive']),
  }),
)
const LeakBody = Type.Object({
  id: Type.String(),
  at: Rfc3339,
  key: Type.String({ description: 'The id of the key.' }),
  tenant: Type.String(),
  resource: Type.String({ description: 'Its URI.' }),
  reporter: Type.Enum([...REPORTERS]),
  reported_by: Type.String(),
  type: Type.String({ description: 'What the reporter calls such a key.' }),
  source: Type.String(),
  url: Type.String({ description: 'Where it was found; empty when that was not said.' }),
  action: Type.Enum([...LEAK_ACTIONS]),
})
const Text = (longest: number) => Type.String({ maxLength: longest, pattern: '^[^\\u0000-\\u001F\\u007F]*$' })
const FoundBody = Type.Object({
  key: Type.String({ description: 'Its id.' }),
  owner: Type.String(),
  tenant: Type.String(),
  resource: Type.String(),
  status: Type.Enum([...KEY_STATUSES], { description: 'As it is now.' }),
  expires_at: Nullable(Rfc3339),
  last_used_at: Nullable(Rfc3339),
  action: Type.Enum([...LEAK_ACTIONS]),
  reported_before: Type.Boolean(),
})

const tags = ['Leaks']

export function leakRoutes(server: FastifyInstance, ports: LeakRoutes): void {
  const { storage, context, activity, uris, senders } = ports
  const nowMs = (): number => context.changes.clock.nowMs()
  const everything = MANAGEMENT_SCOPES.map(({ name }) => name)

  for (const { sender, name, header, feedback } of [
    { sender: 'github', name: 'GitHub', header: 'github', feedback: true },
    { sender: 'gitlab', name: 'GitLab', header: 'gitlab', feedback: false },
  ] as const)
    declareRoute(server, {
      method: 'POST',
      url: `/v1/leaks/${sender}`,
      access: { kind: 'public', why: 'The sender proves itself by a signature over the body.' },
      summary: `Receive a report of ${name}`,
      description: `For ${name}'s partner programme: a list of \`{token, type, url}\`, signed with ECDSA on P-256 in \`${name}-Public-Key-Signature\`. Nothing is said to whoever did not sign.`,
      tags,
      signed: true,
      bodyLimit: LARGEST_REPORT,
      schema: {
        body: Type.Unknown(),
        response: feedback ? { 200: FeedbackBody } : { 204: Type.Null() },
      },
      async handler(request, reply) {
        const network = coarseNetwork(request.ip)
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
        const sent = await isSentBy(senders[sender], {
          keyIdentifier: request.headers[`${header}-public-key-identifier`],
          signature: request.headers[`${header}-public-key-signature`],
          body,
        })
        if (!sent) {
          activity.record({ kind: 'leak_report', code: 'forged', route: `leaks/${sender}`, network })
          throw new PosternError('unauthorized', 'The signature does not prove who sent this.')
        }
        const sightings = readReport(parseJson(body))
        if (!sightings) throw invalid('', 'A report is a list.')
        const caller: Caller = { ...systemCaller(everything), id: sender, network }
        const outcomes = await handleReport(ports, { reporter: sender, caller }, sightings)
        if (!feedback) return reply.status(204).send()
        return sendJson(reply, JSON.stringify(outcomes.map(feedbackOn)))
      },
    })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/leaks/gitlab/revocable_token_types',
    access: { kind: 'management', scope: 'keys:write' },
    summary: 'List what a GitLab of your own may report',
    description:
      "GitLab's Token Revocation API: the pre-shared token of that GitLab is `Bearer` and an operator key. A type for each prefix of keys.",
    tags,
    schema: { response: { 200: Type.Object({ types: Type.Array(Type.String()) }) } },
    handler: async ({ caller }) => ({
      types: (await keyPrefixes(ports, caller)).map((prefix) => `gitleaks_rule_id_postern_${prefix}`),
    }),
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/leaks/gitlab/revoke_tokens',
    access: { kind: 'management', scope: 'keys:write' },
    summary: 'Receive a report of a GitLab of your own',
    description: "GitLab's Token Revocation API: a list of `{type, token, location}`.",
    tags,
    bodyLimit: LARGEST_REPORT,
    schema: {
      body: Type.Array(
        Type.Object(
          { type: Type.String(), token: Type.String(), location: Type.Optional(Type.String()) },
          { additionalProperties: true },
        ),
      ),
      response: { 204: Type.Null() },
    },
    async handler({ caller, body }, reply) {
      await handleReport(ports, { reporter: 'gitlab', caller }, readReport(body) ?? [])
      return reply.status(204).send()
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/leaks',
    access: { kind: 'management', scope: 'keys:write' },
    summary: 'Report leaked keys',
    description:
      'What you found yourself: the policy of each resource is applied. With `dry_run` nothing is changed, and the answer says whose keys they are and whether they are alive. Keys beyond your reach look like none.',
    tags,
    bodyLimit: 4 * 1024 * 1024,
    schema: {
      body: Type.Object({
        dry_run: Type.Optional(Type.Boolean()),
        reports: Type.Array(
          Type.Object({
            token: Type.String({
              minLength: 1,
              maxLength: 8_192,
              description: 'The key as it was found. It is neither kept nor logged.',
            }),
            url: Type.Optional(Text(2_000)),
            source: Type.Optional(Text(100)),
          }),
          { minItems: 1, maxItems: MOST_REPORTS },
        ),
      }),
      response: {
        200: Type.Object({
          dry_run: Type.Boolean(),
          data: Type.Array(Type.Object({ found: Type.Array(FoundBody) }), {
            description: 'In the order of the reports.',
          }),
        }),
      },
    },
    async handler({ caller, body }) {
      const { dry_run: dryRun = false, reports } = body
      const sightings = reports.map(({ token, url, source }) => ({
        token,
        type: '',
        url: place(url),
        source: sourceWord(source),
      }))
      const outcomes = await handleReport(ports, { reporter: 'operator', caller }, sightings, dryRun)
      await uris.know(outcomes.flatMap(({ keys }) => keys.map(({ key }) => key.resourceId)))
      return {
        dry_run: dryRun,
        data: outcomes.map(({ keys }) => ({
          found: keys.map(({ key, action, known }) => ({
            ...presentFound(key, uris, nowMs()),
            action,
            reported_before: known,
          })),
        })),
      }
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/leaks',
    access: { kind: 'management', scope: 'keys:read' },
    summary: 'List leaks',
    description: 'Newest first: each key and place that was reported, and what was done.',
    tags,
    schema: {
      querystring: Type.Object({
        ...PageQuery,
        tenant: Type.Optional(TenantId),
        resource: Type.Optional(Type.String({ maxLength: 500, description: 'Its URI or id.' })),
        key: Type.Optional(Type.String({ maxLength: 40 })),
        reporter: Type.Optional(Type.Enum([...REPORTERS])),
      }),
      response: { 200: PageOf(LeakBody) },
    },
    async handler({ caller, query }) {
      const { tenant, resource, key, reporter } = query
      const resourceId =
        resource === undefined ? undefined : (await getResource(storage, caller, resource)).id
      const filter = { tenantId: tenant, resourceId, keyId: key, reporter }
      const page = await listLeaks(storage, caller, filter, query)
      await uris.know(page.data.map((leak) => leak.resourceId))
      return { data: page.data.map((leak) => presentLeak(leak, uris)), next_cursor: page.nextCursor }
    },
  })
}

/** A key that has ended is a true one all the same: it was ours. */
function feedbackOn({ sighting, keys }: Outcome): Static<typeof FeedbackBody>[number] {
  return {
    token_hash: createHash('sha256').update(sighting.token).digest('hex'),
    token_type: sighting.type,
    label: keys.length > 0 ? 'true_positive' : 'false_positive',
  }
}

async function keyPrefixes({ storage }: LeakPorts, caller: Caller): Promise<string[]> {
  const resources = await reachedResources(storage, caller)
  return [...new Set(resources.map(({ keyPrefix }) => keyPrefix))].sort()
}

function presentFound(key: ApiKey, uris: ResourceUris, nowMs: number) {
  return {
    key: key.id,
    owner: key.owner,
    tenant: key.tenantId,
    resource: uris.uriOf(key.resourceId),
    status: keyStatus(key, nowMs),
    expires_at: rfc3339(key.expiresAtMs),
    last_used_at: rfc3339(key.lastUsedAtMs),
  }
}

function presentLeak(leak: Leak, uris: ResourceUris): Static<typeof LeakBody> {
  return {
    id: leak.id,
    at: rfc3339(leak.atMs),
    key: leak.keyId,
    tenant: leak.tenantId,
    resource: uris.uriOf(leak.resourceId),
    reporter: leak.reporter,
    reported_by: leak.reportedBy,
    type: leak.type,
    source: leak.source,
    url: leak.url,
    action: leak.action,
  }
}
