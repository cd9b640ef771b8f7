/** `GET session`: whether somebody is signed in and who, for the page's script. No token is part of it. */
import { readCookies } from './cookies.ts'
import { type Answer, type Incoming, json } from './incoming.ts'
import type { WebParts } from './parts.ts'
import { problem } from './problem.ts'
import { mayUseSession } from './same-origin.ts'
import type { Session } from './session.ts'

export async function showSession(parts: WebParts, incoming: Incoming): Promise<Answer> {
  const { config, sessions } = parts
  if (!mayUseSession('GET', incoming.header, config.origin)) return problem('cross_site')
  const cookies = readCookies(incoming.header('cookie'))
  const session = await sessions.read(cookies)
  if (!session) return json(200, SIGNED_OUT)
  return (await hasEnded(parts, session))
    ? json(200, SIGNED_OUT, await sessions.end(cookies))
    : json(200, sessionView(session))
}

const SIGNED_OUT = { signed_in: false }

/** `ends_at`: RFC 3339, when the user has to sign in anew. */
export function sessionView({ user, endsAtMs }: Session): object {
  return { signed_in: true, user, ends_at: new Date(endsAtMs).toISOString() }
}

/** By the verifier, where there is one: its feed knows of a session's end within a second. */
async function hasEnded({ config }: WebParts, { accessToken }: Session): Promise<boolean> {
  const result = await config.verifier?.verify(accessToken)
  return result?.valid === false && (result.code === 'revoked' || result.code === 'disabled')
}
