/** GET /v1/me/keys/:id/usage: whoever holds a key sees what it, and the other keys of its owner, were used for. */
import type { FastifyInstance } from 'fastify'
import { declareRoute, IdParams, problemOfDenial, sendProblem } from '../http/index.ts'
import type { Storage } from '../storage/index.ts'
import { KeyUsageBody, presentKeyUsage, readOwnKeyUsage } from '../usage/index.ts'
import { askAboutSender } from './ask-about-sender.ts'
import type { Verifier } from './verify.ts'

export function ownUsageRoutes(
  server: FastifyInstance,
  { verifier, storage, issuer }: { verifier: Verifier; storage: Storage; issuer: string },
): void {
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
      const question = askAboutSender(request, issuer)
      if ('valid' in question) return sendProblem(reply, request, problemOfDenial(question))
      const { denial, presented } = await verifier.verify(question)
      if (denial) return sendProblem(reply, request, problemOfDenial(denial))
      if (!presented) throw new Error('A valid decision names what was presented.')
      return presentKeyUsage(await readOwnKeyUsage(storage, presented.principal, request.params.id))
    },
  })
}
