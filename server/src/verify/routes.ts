/** POST /v1/verify and GET /v1/whoami. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import {
  declareRoute,
  Nullable,
  problemOfDenial,
  Rfc3339,
  Scopes,
  sendJson,
  sendJsonAtOnce,
  sendProblem,
} from '../http/index.ts'
import { DENIALS, PosternError } from '../kernel/index.ts'
import { LARGEST_COST, LimitStateBody } from '../limits/index.ts'
import { denialText, validText } from './compose-reply.ts'
import type { DecisionMeter } from './decision-meter.ts'
import { askAboutSender } from './ask-about-sender.ts'
import type { Decision, Verifier } from './verify.ts'
import type { VerifyRequest } from './verify-request.ts'

const Text = (longest: number) => Type.String({ maxLength: longest })
/** What the database is asked for. A NUL is let through in the credential alone, where it is a decision. */
const Named = (longest: number) => Type.String({ maxLength: longest, pattern: '^[^\\u0000]*$' })

const VerifyBody = Type.Object({
  credential: Type.String({ description: 'As it was presented. At most 8,192 characters are looked at.' }),
  resource: Type.Optional(
    Type.Unsafe<string>({ ...Named(500), description: 'The URI of the API that is being called.' }),
  ),
  scopes: Type.Optional(Scopes),
  tenant: Type.Optional(Named(200)),
  ip: Type.Optional(Type.String({ maxLength: 100, description: 'The address that presented it.' })),
  method: Type.Optional(Text(100)),
  url: Type.Optional(
    Type.String({
      maxLength: 16_384,
      description: 'The URL that was called: a key in it is refused. With `dpop` it is absolute.',
    }),
  ),
  origin: Type.Optional(
    Type.String({ maxLength: 2_048, description: 'The Origin header, if there was one.' }),
  ),
  sec_fetch_site: Type.Optional(Text(100)),
  dpop: Type.Optional(
    Type.String({
      description:
        'The DPoP header, when the credential came as `Authorization: DPoP`. Needs `method` and `url`.',
    }),
  ),
  environment: Type.Optional(Type.Enum(['live', 'test', 'any'])),
  acr_values: Type.Optional(
    Type.Array(Type.String({ maxLength: 200, pattern: '^[!#-\\[\\]-~]+$' }), {
      maxItems: 20,
      description: 'The user signed in by one of these (RFC 9470).',
    }),
  ),
  max_age: Type.Optional(
    Type.Integer({ minimum: 0, description: 'Seconds: the user signed in no longer ago than that.' }),
  ),
  route: Type.Optional(
    Type.Unsafe<string>({
      ...Named(200),
      description: "The called route's pattern or name, never its path: usage is counted by it.",
    }),
  ),
  cost: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: LARGEST_COST,
      description: 'What the request costs the limits; 1 unless told, 0 only looks.',
    }),
  ),
  count: Type.Optional(
    Type.Boolean({
      description:
        'False: the verifier counts this request itself and reports it. A refusal is counted here.',
    }),
  ),
  reserved: Type.Optional(
    Type.Array(Type.String({ maxLength: 500 }), {
      maxItems: 64,
      description: 'Buckets that the verifier has charged out of its leases.',
    }),
  ),
})

const Confirmation = Type.Object({ jkt: Type.Optional(Type.String()) })
const Actor = Type.Object({ sub: Type.String(), act: Type.Optional(Type.Unknown()) })

const Principal = Type.Object({
  sub: Type.String(),
  sub_type: Type.Enum(['user', 'client', 'external']),
  tenant: Type.String(),
  resource: Type.String(),
  scopes: Type.Array(Type.String()),
  roles: Type.Array(Type.String()),
  credential: Type.Object({
    type: Type.Enum(['api_key', 'access_token', 'session']),
    id: Type.String(),
    environment: Type.Enum(['live', 'test']),
  }),
  client_id: Type.Optional(Type.String()),
  act: Type.Optional(Actor),
  cnf: Type.Optional(Confirmation),
  grant_id: Type.Optional(Type.String()),
  session_id: Type.Optional(Type.String()),
  acr: Type.Optional(Type.String()),
  amr: Type.Optional(Type.Array(Type.String())),
  auth_time: Type.Optional(Rfc3339),
  expires_at: Type.Optional(Rfc3339),
  metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  plan: Type.Optional(Type.String()),
})
const Constraints = Type.Object({
  environment: Type.Enum(['live', 'test']),
  browser: Type.Boolean(),
  ip_allow: Type.Optional(Type.Array(Type.String())),
  not_before: Type.Optional(Rfc3339),
  expires_at: Type.Optional(Nullable(Rfc3339)),
  cnf: Type.Optional(Confirmation),
})
const AsOf = Type.Integer({ description: "The feed's position at which this was true." })

const VerifyReply = Type.Union([
  Type.Object({
    valid: Type.Literal(true),
    principal: Principal,
    constraints: Constraints,
    cache_seconds: Type.Integer(),
    limits: Type.Array(LimitStateBody),
    refs: Type.Array(Type.String(), {
      description: 'Rows of the feed with one of these as `kind:key` touch the answer.',
    }),
    as_of: AsOf,
  }),
  Type.Object({
    valid: Type.Literal(false),
    code: Type.Enum(Object.keys(DENIALS)),
    detail: Type.String(),
    scopes: Type.Optional(Type.Array(Type.String())),
    acr_values: Type.Optional(Type.Array(Type.String())),
    max_age: Type.Optional(Type.Integer()),
    retry_after_seconds: Type.Optional(Type.Integer()),
    limits: Type.Optional(Type.Array(LimitStateBody)),
    as_of: AsOf,
  }),
])

const NONE: readonly string[] = []

export interface VerifyPorts {
  readonly verifier: Verifier
  readonly meter: DecisionMeter
  readonly issuer: string
}

export function verifyRoutes(server: FastifyInstance, { verifier, meter, issuer }: VerifyPorts): void {
  declareRoute(server, {
    method: 'POST',
    url: '/v1/verify',
    access: { kind: 'verifier' },
    summary: 'Verify a credential',
    description:
      'Answers 200 for every decision, valid or not. Anything else means that no decision was made.',
    tags: ['Verify'],
    schema: { body: VerifyBody, response: { 200: VerifyReply } },
    handler(request, reply) {
      const { body, caller } = request
      if (body.dpop !== undefined) requireTarget(body)
      const question: VerifyRequest = {
        credential: body.credential,
        resource: body.resource,
        scopes: body.scopes ?? NONE,
        tenant: body.tenant,
        ip: body.ip,
        method: body.method,
        url: body.url,
        dpop: body.dpop,
        origin: body.origin,
        secFetchSite: body.sec_fetch_site,
        environment: body.environment ?? 'live',
        acrValues: body.acr_values,
        maxAgeSeconds: body.max_age,
        cost: body.cost ?? 1,
        reserved: body.reserved,
        reach: caller,
      }
      const answer = (decision: Decision): void => {
        sendJsonAtOnce(
          reply,
          decision.denial
            ? denialText(decision.denial, decision.asOf, decision.limits)
            : validText(decision.reply, decision.asOf, decision.limits),
        )
        const context = { route: body.route ?? 'verify', ip: body.ip, scopes: question.scopes }
        if (body.count === false && !decision.denial) meter.noteCaller(decision, context)
        else meter.note(decision, context)
      }
      const decision = verifier.verify(question)
      if (!(decision instanceof Promise)) {
        answer(decision)
        return reply
      }
      return decision.then((made) => {
        answer(made)
        return reply
      })
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/whoami',
    access: { kind: 'public', why: 'It answers about the presented credential alone, to whoever holds it.' },
    summary: 'Who am I?',
    description:
      'The Principal of the credential in `Authorization: Bearer` or `DPoP`, or in `X-API-Key`, whichever API it is for.',
    tags: ['Verify'],
    schema: { response: { 200: Type.Object({ principal: Principal, constraints: Constraints }) } },
    async handler(request, reply) {
      const question = askAboutSender(request, issuer)
      if ('valid' in question) return sendProblem(reply, request, problemOfDenial(question))
      const decision = await verifier.verify(question)
      meter.note(decision, { route: 'whoami', ip: request.ip })
      if (decision.denial) return sendProblem(reply, request, problemOfDenial(decision.denial))
      const { principal, constraints } = JSON.parse(`${decision.reply}}`) as Record<string, unknown>
      return sendJson(reply, JSON.stringify({ principal, constraints }))
    },
  })
}

/** A proof is for one method and one URL: without them, whoever asks has forgotten something. */
function requireTarget(body: { method?: string; url?: string }): void {
  const absent = (['method', 'url'] as const).find((name) => body[name] === undefined)
  if (absent === undefined) return
  const detail = 'is needed with dpop'
  throw new PosternError('invalid_request', `/${absent}: ${detail}`, {
    errors: [{ pointer: `/${absent}`, detail }],
  })
}
