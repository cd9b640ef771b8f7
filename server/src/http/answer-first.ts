/**
 * A way past Fastify, for the one endpoint that answers a proxy's every request: routing, hooks and a reply object cost
 * it more than the answer itself. Nothing stands before it, so whatever is answered here checks all for itself.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void

/** `answer` says whether the request was its own; every other one goes to Fastify. */
export function answerFirst(
  { server }: FastifyInstance,
  answer: (request: IncomingMessage, response: ServerResponse) => boolean,
): void {
  const listeners = server.listeners('request') as RequestListener[]
  server.removeAllListeners('request')
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (answer(request, response)) return
    for (const listener of listeners) listener(request, response)
  })
}
