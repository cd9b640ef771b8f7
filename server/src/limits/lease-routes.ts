/** POST /v1/limits/leases */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { declareRoute } from '../http/index.ts'
import { LEASE_MS } from './bucket.ts'
import { type Leases, RENEW_MS } from './leases.ts'
import { LARGEST_LIMIT } from './limit.ts'

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

export function leaseRoutes(server: FastifyInstance, leases: Leases): void {
  declareRoute(server, {
    method: 'POST',
    url: '/v1/limits/leases',
    access: { kind: 'verifier' },
    summary: 'Lease slices of limits',
    description:
      'For verifiers. A lease lasts `lease_ms` from the sending of the request; what is not returned by then is spent. Every number is counted since the lease began.',
    tags: ['Limits'],
    schema: {
      body: Type.Object({
        holder: Type.String({
          pattern: '^[\\w-]{1,64}$',
          description: 'Random, and the same for as long as the process lives.',
        }),
        buckets: Type.Array(
          Type.Object({
            bucket: Type.String({ maxLength: 500, pattern: '^[^\\u0000]+$' }),
            lease: Type.Optional(Type.String({ pattern: '^[\\w-]{1,32}$' })),
            granted: Count,
            spent: Count,
            returned: Count,
            want: Type.Integer({ minimum: 0, maximum: LARGEST_LIMIT }),
          }),
          { maxItems: 1_000 },
        ),
      }),
      response: {
        200: Type.Object({
          lease_ms: Type.Integer(),
          renew_ms: Type.Integer(),
          buckets: Type.Array(
            Type.Object({
              bucket: Type.String(),
              strict: Type.Boolean({ description: 'Not leased: ask about each request.' }),
              lease: Type.Optional(Type.String()),
              granted: Type.Optional(Type.Integer()),
            }),
          ),
        }),
      },
    },
    async handler({ caller, body }) {
      const wishes = body.buckets.map(({ lease, ...wish }) => ({ ...wish, id: lease }))
      const answers = await leases.renew(caller, body.holder, wishes)
      return {
        lease_ms: LEASE_MS,
        renew_ms: RENEW_MS,
        buckets: answers.map(({ bucket, leased }) =>
          leased
            ? { bucket, strict: false, lease: leased.id, granted: leased.granted }
            : { bucket, strict: true },
        ),
      }
    },
  })
}
