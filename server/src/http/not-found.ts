/** What is not here: 404, or 405 with `Allow` where the path is known under another method (RFC 9110, section 15.5.6). */
import type { FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { PosternError } from '../kernel/index.ts'
import { problemOf, problemOfDenial } from './problem.ts'
import { sendProblem } from './send-problem.ts'

const METHODS: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

export function answerUnknownRoute(request: FastifyRequest, reply: FastifyReply): void {
  const refused = request.server.posternHttp.admit?.({ ip: request.ip ?? '', route: '*' })
  if (refused) return sendProblem(reply, request, problemOfDenial(refused))

  const path = request.url.split('?', 1)[0] ?? ''
  const allowed = METHODS.filter((method) => request.server.findRoute({ method, url: path }) !== null)
  if (allowed.length === 0)
    return sendProblem(
      reply,
      request,
      problemOf(new PosternError('not_found', 'There is no such path here. /docs lists them all.')),
    )
  const allow = allowed.join(', ')
  reply.header('allow', allow)
  const detail = `${request.method} is not served here; this path takes ${allow}.`
  sendProblem(reply, request, problemOf(new PosternError('method_not_allowed', detail)))
}
