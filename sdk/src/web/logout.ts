/**
 * `POST logout`: ends the session here and its grant at Postern, so that its access token is refused everywhere within a
 * second, and then offers to sign out of Postern as well (RP-initiated logout). A form is sent there; a script (with
 * `X-CSRF`) is told where in `location`, since a redirect to another origin is nothing that `fetch` can follow.
 */
import { readCookies } from './cookies.ts'
import { type Answer, type Incoming, json, redirectTo } from './incoming.ts'
import type { WebParts } from './parts.ts'
import { problem } from './problem.ts'
import { CSRF_HEADER, isProvenOwn } from './same-origin.ts'

export async function logout(parts: WebParts, incoming: Incoming): Promise<Answer> {
  const { config, server, sessions } = parts
  if (!isProvenOwn(incoming.header, config.origin)) return problem('cross_site')
  const cookies = readCookies(incoming.header('cookie'))
  const session = await sessions.read(cookies)
  const cleared = await sessions.end(cookies)
  const token = session?.refreshToken
  // Signed out here all the same: the user asked for that, and tokens end by themselves.
  if (token !== undefined) await server.revoke(token).catch(() => undefined)
  const location = session ? await whereNext(parts) : config.afterLogout
  return incoming.header(CSRF_HEADER) === undefined
    ? redirectTo(location, cleared, 303)
    : json(200, { location }, cleared)
}

async function whereNext({ config, server }: WebParts): Promise<string> {
  try {
    return (await server.endSessionUrl()).href
  } catch {
    return config.afterLogout
  }
}
