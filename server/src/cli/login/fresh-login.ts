/** The stored sign-in with a token that is still good: refreshed when it is about to end. */
import { CliError, EXIT } from '../errors.ts'
import { type Answer, discover, type Endpoints, send } from './oauth-endpoints.ts'
import { readLogin, type StoredLogin, writeLogin } from './stored-login.ts'

const EARLY_MS = 30_000

export async function freshLogin(
  file: string,
  nowMs: number,
): Promise<{ login: StoredLogin; endpoints: Endpoints }> {
  const login = readLogin(file)
  if (!login) throw new CliError(EXIT.notPermitted, 'Nobody has signed in here.', { hint: 'postern login' })
  const endpoints = await discover(login.issuer)
  if (login.expires_at_ms - EARLY_MS > nowMs) return { login, endpoints }
  if (login.refresh_token === undefined) throw over()
  const answer = await send(endpoints.token_endpoint, {
    grant_type: 'refresh_token',
    refresh_token: login.refresh_token,
    client_id: login.client_id,
    ...(login.resource !== undefined && { resource: login.resource }),
  })
  if (answer.status !== 200) throw over()
  const fresh = loginOf(answer.body, login, nowMs)
  writeLogin(file, fresh)
  return { login: fresh, endpoints }
}

/** What a token response gives, on top of what is known. */
export function loginOf(
  body: Answer['body'],
  known: Pick<StoredLogin, 'issuer' | 'client_id'> & Partial<StoredLogin>,
  nowMs: number,
): StoredLogin {
  return {
    ...known,
    access_token: String(body['access_token']),
    ...(typeof body['refresh_token'] === 'string' && { refresh_token: body['refresh_token'] }),
    expires_at_ms: nowMs + Number(body['expires_in']) * 1_000,
  }
}

function over(): CliError {
  return new CliError(EXIT.notPermitted, 'The sign-in is over.', { hint: 'postern login' })
}
