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

export function refusedResponse({ status, headers, body }: Refusal): Response {
  return new Response(JSON.stringify(body), { status, headers })
}
