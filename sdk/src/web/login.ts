/** `GET login`: sends the browser to Postern. `?return_to=` is a path of this application to come back to. */
import { readCookies } from './cookies.ts'
import { type Answer, type Incoming, redirectTo } from './incoming.ts'
import type { WebParts } from './parts.ts'
import { problem } from './problem.ts'
import { queryOf } from './query.ts'
import { isSafePath } from './return-address.ts'

/** What a page may ask of the sign-in: a step-up names what the API's challenge named (RFC 9470). */
const PROMPTS: ReadonlySet<string> = new Set(['login', 'consent', 'select_account'])

export async function login({ config, pending, server }: WebParts, incoming: Incoming): Promise<Answer> {
  const query = queryOf(incoming.url)
  const returnTo = query.get('return_to') ?? '/'
  if (!isSafePath(returnTo) || query.getAll('return_to').length > 1) return problem('invalid_return_address')
  const acrValues = query.get('acr_values') ?? undefined
  const maxAge = query.get('max_age') ?? undefined
  const prompt = query.get('prompt') ?? undefined
  if (acrValues !== undefined && !/^[\x21-\x7e]{1,200}( [\x21-\x7e]{1,200}){0,9}$/.test(acrValues))
    return problem('invalid_request')
  if (maxAge !== undefined && !/^\d{1,8}$/.test(maxAge)) return problem('invalid_request')
  if (prompt !== undefined && !PROMPTS.has(prompt)) return problem('invalid_request')
  // Coming back here would go round in circles.
  const isOurs = returnTo === config.path || returnTo.startsWith(`${config.path}/`)
  try {
    const { url, secrets } = await server.begin({
      acrValues,
      maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
      prompt,
    })
    const signIn = { ...secrets, returnTo: isOurs ? '/' : returnTo }
    return redirectTo(url.href, await pending.keep(signIn, readCookies(incoming.header('cookie'))))
  } catch (error) {
    if (isSetUpWrong(error)) throw error
    return problem('unavailable')
  }
}

/** A missing package is the operator's to mend, and does not pass by itself. */
function isSetUpWrong(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('@postern/sdk/web needs')
}
