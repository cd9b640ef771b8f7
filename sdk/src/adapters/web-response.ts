/** What a result means for a route, as the web's own `Response`, for the adapters that have one. */
import type { Principal } from '../principal.ts'
import type { Refusal } from '../refusal.ts'
import { admission } from './guard-options.ts'

export function webAdmission(
  ...about: Parameters<typeof admission>
): Response | { readonly principal: Principal | undefined } {
  const outcome = admission(...about)
  return outcome.admitted ? { principal: outcome.principal } : refusedResponse(outcome.refusal)
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
