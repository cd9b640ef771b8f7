/** The handlers for Express and `node:http`. */
import { headerOf, type NodeRequest } from '../presented.ts'
import { parsedForm, readForm } from './form.ts'
import type { Answer, Incoming } from './incoming.ts'
import type { Web } from './web.ts'

/** What is used of Express's request, and Node's. */
export interface WebNodeRequest extends NodeRequest {
  readonly originalUrl?: string
  /** Set by a body parser. */
  readonly body?: unknown
}

export interface WebNodeResponse {
  statusCode: number
  setHeader(name: string, value: string | readonly string[]): unknown
  end(body: string): unknown
}

/**
 * Middleware for Express 4 and 5: `app.use(serveWeb(web))`, at the root. Everything below `web.path` is answered; all else
 * goes on. With `node:http`: `serveWeb(web)(req, res, () => …)`.
 */
export function serveWeb(
  web: Web,
): (request: WebNodeRequest, response: WebNodeResponse, next: (error?: unknown) => void) => void {
  return (request, response, next) => void answer(web, request, response, next)
}

async function answer(
  web: Web,
  request: WebNodeRequest,
  response: WebNodeResponse,
  next: (error?: unknown) => void,
): Promise<void> {
  let found: Answer | undefined
  try {
    found = await web.handle(incomingOf(request))
  } catch (error) {
    return next(error)
  }
  return found ? send(response, found) : next()
}

function incomingOf(request: WebNodeRequest): Incoming {
  return {
    method: request.method ?? 'GET',
    url: request.originalUrl ?? request.url ?? '/',
    header: (name) => headerOf(request, name),
    async form() {
      if (request.body !== undefined) return parsedForm(request.body)
      return readForm(headerOf(request, 'content-type'), request as unknown as AsyncIterable<unknown>)
    },
  }
}

function send(response: WebNodeResponse, { status, headers, body }: Answer): void {
  response.statusCode = status
  const cookies = headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)
  if (cookies.length > 0) response.setHeader('set-cookie', cookies)
  for (const [name, value] of headers) if (name !== 'set-cookie') response.setHeader(name, value)
  response.end(body)
}
