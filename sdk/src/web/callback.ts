/**
 * `GET callback`: redeems the code, starts the session and goes back to where the sign-in began. What Postern or anyone
 * else put into the query is checked by `openid-client` and never shown.
 */
import { readCookies } from './cookies.ts'
import { type Answer, type Incoming, page, redirectTo } from './incoming.ts'
import type { WebParts } from './parts.ts'
import { queryOf, searchOf } from './query.ts'
import { newSession } from './session.ts'

/** As `?sign_in_error=` has it: refused by the user; begun too long ago or elsewhere; Postern away; all else. */
type Failure = 'access_denied' | 'expired' | 'unavailable' | 'failed'

const LONGEST_QUERY = 4096

export async function callback(parts: WebParts, incoming: Incoming): Promise<Answer> {
  const { clock, config, pending, server, sessions } = parts
  const search = searchOf(incoming.url)
  const states = queryOf(incoming.url).getAll('state')
  const [state = ''] = states
  if (search.length > LONGEST_QUERY || states.length !== 1) return failed(parts, 'failed')
  const cookies = readCookies(incoming.header('cookie'))
  const signIn = await pending.find(state, cookies)
  if (!signIn) return failed(parts, 'expired')
  // Whatever comes of it: what was begun is good for one answer.
  const forget = await pending.forget(state)
  try {
    const tokens = await server.finish(search, signIn)
    const claims = tokens.claims()
    if (!claims) return failed(parts, 'failed', forget)
    const session = newSession(tokens, claims, clock.nowMs(), config.lifetimeMs)
    return redirectTo(signIn.returnTo, [...forget, ...(await sessions.start(session, cookies))])
  } catch (error) {
    return failed(parts, failureOf(error), forget)
  }
}

function failureOf(error: unknown): Failure {
  const { code, error: oauthError } = (error ?? {}) as { code?: unknown; error?: unknown }
  if (oauthError === 'access_denied' || oauthError === 'unavailable') return oauthError
  if (oauthError === 'temporarily_unavailable' || oauthError === 'server_error') return 'unavailable'
  const isAway = code === 'OAUTH_TIMEOUT' || (error instanceof TypeError && /fetch/i.test(error.message))
  return isAway ? 'unavailable' : 'failed'
}

const STATUS: Readonly<Record<Failure, number>> = {
  access_denied: 403,
  expired: 400,
  unavailable: 503,
  failed: 400,
}
const SENTENCE: Readonly<Record<Failure, string>> = {
  access_denied: 'The sign-in was refused.',
  expired: 'This sign-in was begun too long ago, or in another browser.',
  unavailable: 'The sign-in service cannot be reached right now.',
  failed: 'The sign-in did not work.',
}

function failed({ config }: WebParts, failure: Failure, cookies: readonly string[] = []): Answer {
  if (config.failurePath !== undefined)
    return redirectTo(`${config.failurePath}?sign_in_error=${failure}`, cookies)
  const again = `${config.path}/login`
  return page(
    STATUS[failure],
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title><p>${SENTENCE[failure]}</p>` +
      `<p><a href="${again.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}">Try again</a></p></html>`,
    cookies,
  )
}
