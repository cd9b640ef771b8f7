/** How limits are written on the wire. */
import { Type, type Static } from 'typebox'
import { type Limit, ENFORCEMENTS, LARGEST_LIMIT, LONGEST_WINDOW_SECONDS, PERIODS } from './limit.ts'
import { TARGET_KINDS } from './limit-target.ts'

const LimitName = Type.String({
  pattern: '^[a-z0-9][a-z0-9._-]{0,63}$',
  description: 'Unique among the limits of its plan or target.',
})
const Count = Type.Integer({ minimum: 1, maximum: LARGEST_LIMIT })
const EnforcementBody = Type.Enum([...ENFORCEMENTS], {
  description:
    '`strict` (unless told): counted at the server. `leased`: verifiers count slices of it themselves.',
})

export const LimitBody = Type.Union([
  Type.Object({
    type: Type.Literal('rate'),
    name: LimitName,
    limit: Count,
    window_seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: LONGEST_WINDOW_SECONDS, description: '1 unless told.' }),
    ),
    burst: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: LARGEST_LIMIT,
        description: 'So many at once; as many as `limit` unless told.',
      }),
    ),
    enforcement: Type.Optional(EnforcementBody),
  }),
  Type.Object({
    type: Type.Literal('quota'),
    name: LimitName,
    limit: Count,
    period: Type.Enum([...PERIODS], { description: 'Whole again at its start, in UTC.' }),
    enforcement: Type.Optional(EnforcementBody),
  }),
])

export const LimitStateBody = Type.Object({
  name: Type.String(),
  on: Type.Enum([...TARGET_KINDS]),
  bucket: Type.String({ description: 'The name of the counter, for leases.' }),
  type: Type.Enum(['rate', 'quota']),
  enforcement: Type.Enum([...ENFORCEMENTS]),
  limit: Type.Integer(),
  window_seconds: Type.Optional(Type.Integer()),
  burst: Type.Optional(Type.Integer()),
  period: Type.Optional(Type.Enum([...PERIODS])),
  remaining: Type.Integer(),
  reset_seconds: Type.Integer(),
})

export function readLimit(body: Static<typeof LimitBody>): Limit {
  const { name, limit, enforcement = 'strict' } = body
  return body.type === 'rate'
    ? {
        type: 'rate',
        name,
        limit,
        windowSeconds: body.window_seconds ?? 1,
        burst: body.burst ?? limit,
        enforcement,
      }
    : { type: 'quota', name, limit, period: body.period, enforcement }
}

export function presentLimit(limit: Limit): Static<typeof LimitBody> {
  const { name, limit: count, enforcement } = limit
  return limit.type === 'rate'
    ? {
        type: 'rate',
        name,
        limit: count,
        window_seconds: limit.windowSeconds,
        burst: limit.burst,
        enforcement,
      }
    : { type: 'quota', name, limit: count, period: limit.period, enforcement }
}
