/** What a result means for a route, as the web's own `Response`, for the adapters that have one. */
import type { Refusal } from '../refusal.ts'
import { type Admission, admission } from './guard-options.ts'

export function webAdmission(
  ...about: Parameters<typeof admission>
): Response | Extract<Admission, { admitted: true }> {
  const outcome = admission(...about)
  return outcome.admitted ? outcome : refusedResponse(outcome.refusal)
}

/** The answer with `headers` besides; a new one where its own cannot be changed, as of a redirect. */
export function withHeaders(response: Response, headers: Readonly<Record<string, string>>): Response {
  const added = Object.entries(headers)
  if (added.length === 0) return response
  try {
    for (const [name, value] of added) response.headers.set(name, value)
    return response
  } catch {
    const { status, statusText, body } = response
    const all = new Headers(response.headers)
    for (const [name, value] of added) all.set(name, value)
    return new Response(body, { status, statusText, headers: all })
  }
}

/** A copy: the headers of a Response that a handler got elsewhere cannot be changed. */
export function withCookies(response: Response, cookies: readonly string[]): Response {
  const copy = new Response(response.body, response)
  for (const cookie of cookies) copy.headers.append('set-cookie', cookie)
  copy.headers.set('cache-control', 'no-store')
  return copy
}

export function refusedResponse({ status, headers, body }: Refusal): Response {
  return new Response(JSON.stringify(body), { status, headers })
}
