/**
 * What the adapters know of a session that `@postern/sdk/web` keeps for a browser: it answers the access token that goes
 * with a request's cookie, and the cookies that the answer has to carry.
 */
import type { Denial } from './denial.ts'
import type { CredentialRequest } from './presented.ts'
import type { Result } from './principal.ts'
import type { Verifier, VerifyOptions } from './verifier.ts'

/** `cookies`: values of `Set-Cookie`, after a refresh or at the session's end. */
export type SessionCredential =
  | { readonly cookies: readonly string[]; readonly accessToken: string }
  | { readonly cookies: readonly string[]; readonly denial: Denial }

export interface BrowserSession {
  /** Undefined: the request has no cookie of a session, and is judged by what else it presents. */
  present(request: CredentialRequest): Promise<SessionCredential | undefined> | undefined
  /** The same without a refresh, for those who cannot answer with cookies. */
  presentAsItIs(request: CredentialRequest): Promise<SessionCredential | undefined> | undefined
}

/** `verifier.verify()`, with the session's access token where the request brings its cookie. */
export function verifyWithSession(
  verifier: Verifier,
  request: CredentialRequest,
  session: BrowserSession | undefined,
  options: VerifyOptions,
  setCookies: (cookies: readonly string[]) => void,
): Result | Promise<Result> {
  const presenting = session?.present(request)
  if (presenting === undefined) return verifier.verify(request, options)
  return presenting.then((presented) => {
    if (presented === undefined) return verifier.verify(request, options)
    if (presented.cookies.length > 0) setCookies(presented.cookies)
    if ('denial' in presented) return presented.denial
    return verifier.verify(request, { ...options, sessionToken: presented.accessToken })
  })
}
