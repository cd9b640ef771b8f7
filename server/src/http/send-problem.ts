/** Problems on the wire, from a reply or on a bare socket, and the one place where a failure is logged. */
import { PosternError } from '../kernel/index.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendProblemPage } from './error-page.ts'
import { PROBLEM_TYPE, problemOf, problemText } from './problem.ts'
import type { Problem } from './problem.ts'
import { setApiHeaders } from './security-headers.ts'

export function sendProblem(reply: FastifyReply, request: FastifyRequest, problem: Problem): void {
  setApiHeaders(reply, request.id)
  for (const name in problem.headers) reply.header(name, problem.headers[name])
  if (request.routeOptions?.config?.page === true) return void sendProblemPage(reply, request, problem)
  reply.code(problem.status).header('content-type', PROBLEM_TYPE).send(problemText(problem, request.id))
}

/** Fastify's error handler: whatever a hook, a validator or a handler threw. */
export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = problemOf(error)
  if (problem.status >= 500) {
    const route = request.routeOptions.url
    const expected = error instanceof PosternError
    if (expected) request.log.error({ err: error, route }, `${problem.code}: ${problem.detail}`)
    else request.log.error({ err: error, route, method: request.method }, 'a handler failed')
  } else {
    request.log.debug({ code: problem.code, detail: problem.detail }, 'request refused')
  }
  sendProblem(reply, request, problem)
}
