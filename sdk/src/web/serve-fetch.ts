/** The handlers for what speaks the web's own `Request` and `Response`: Hono, Next.js, and others. */
import { readForm } from './form.ts'
import type { Answer, Incoming } from './incoming.ts'
import type { Web } from './web.ts'

/** Answers a request for one of the handlers; undefined: it is for something else. */
export async function answerFetch(web: Web, request: Request): Promise<Response | undefined> {
  const answer = await web.handle(incomingOf(request))
  return answer && responseOf(answer)
}

/** Middleware for Hono 4: `app.use(honoWeb(web))`. */
export function honoWeb(
  web: Web,
): (
  c: { readonly req: { readonly raw: Request } },
  next: () => Promise<void>,
) => Promise<Response | undefined> {
  return async (c, next) => {
    const response = await answerFetch(web, c.req.raw)
    if (!response) await next()
    return response
  }
}

/**
 * Route handlers for Next.js. In `app/auth/[action]/route.ts`, where `auth` is the option `path`:
 *
 *     export const { GET, POST } = nextWeb(web)
 */
export function nextWeb(web: Web): {
  readonly GET: (request: Request) => Promise<Response>
  readonly POST: (request: Request) => Promise<Response>
} {
  const answer = async (request: Request): Promise<Response> =>
    (await answerFetch(web, request)) ?? new Response(null, { status: 404 })
  return { GET: answer, POST: answer }
}

function incomingOf(request: Request): Incoming {
  return {
    method: request.method,
    url: request.url,
    header: (name) => request.headers.get(name) ?? undefined,
    form: () =>
      readForm(
        request.headers.get('content-type') ?? undefined,
        request.body as AsyncIterable<unknown> | null,
      ),
  }
}

function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body === '' ? null : body, {
    status,
    headers: headers.map(([name, value]) => [name, value] as [string, string]),
  })
}
