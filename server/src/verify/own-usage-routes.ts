/** GET /v1/me/keys/:id/usage: whoever holds a key sees what it, and the other keys of its owner, were used for. */
import type { FastifyInstance } from 'fastify'
import { declareRoute, IdParams, problemOfDenial, sendProblem } from '../http/index.ts'
import { keysInUrl } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { KeyUsageBody, presentKeyUsage, readOwnKeyUsage } from '../usage/index.ts'
import { readCredential } from './read-credential.ts'
import type { Verifier } from './verify.ts'

export function ownUsageRoutes(server: FastifyInstance, verifier: Verifier, storage: Storage): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/me/keys/:id/usage',
    access: { kind: 'public', why: 'It answers about keys of whom the presented credential belongs to.' },
    summary: 'What my key was used for',
    description:
      "With a key or token in `Authorization: Bearer` or `X-API-Key`: the usage of one of its owner's keys in its tenant, and of no others.",
    tags: ['Usage'],
    schema: { params: IdParams, response: { 200: KeyUsageBody } },
    async handler(request, reply) {
      const read = keysInUrl(request.url).length > 0 ? '' : readCredential(request)
      if (typeof read !== 'string') return sendProblem(reply, request, problemOfDenial(read))
      const { denial, presented } = await verifier.verify({
        credential: read === '' ? (keysInUrl(request.url)[0] ?? '') : read,
        scopes: [],
        ip: request.ip,
        url: request.url,
        origin: request.headers.origin,
        secFetchSite: request.headers['sec-fetch-site'] as string | undefined,
        environment: 'any',
        reach: { tenant: null, resources: null },
      })
      if (denial || !presented)
        return sendProblem(
          reply,
          request,
          problemOfDenial(denial ?? { valid: false, code: 'unknown', detail: '' }),
        )
      return presentKeyUsage(await readOwnKeyUsage(storage, presented.principal, request.params.id))
    },
  })
}
