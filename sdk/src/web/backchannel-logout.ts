/**
 * `POST backchannel-logout` (OpenID Connect Back-Channel Logout 1.0): Postern says that a session has ended. Sessions in a
 * store end with it. One that is sealed in a cookie cannot be reached; there the feed does it: the session's access token
 * names its session at Postern, and the verifier refuses it within a second. A logout token that comes again does nothing
 * more, so that none has to be remembered.
 */
import type { JWTPayload, JWTVerifyGetKey } from 'jose'
import type { Answer, Incoming } from './incoming.ts'
import { optionalPeer } from './optional-peer.ts'
import type { WebParts } from './parts.ts'
import { problem } from './problem.ts'

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
const ALGORITHMS = ['ES256', 'RS256', 'EdDSA', 'Ed25519']
const LONGEST_TOKEN = 8192
const OLDEST_SECONDS = 300

/** The keys of the issuer are kept between calls, and looked up again for an unknown one. */
export function backchannelLogout(): (parts: WebParts, incoming: Incoming) => Promise<Answer> {
  let keys: JWTVerifyGetKey | undefined
  return async (parts, incoming) => {
    const token = (await incoming.form())?.getAll('logout_token')
    if (token?.length !== 1 || String(token[0]).length > LONGEST_TOKEN) return problem('invalid_request')
    const { createRemoteJWKSet, customFetch } = await optionalPeer('jose')
    try {
      const { jwks_uri: where } = (await parts.server.configuration()).serverMetadata()
      keys ??= createRemoteJWKSet(new URL(String(where)), {
        ...(parts.config.fetch && { [customFetch]: parts.config.fetch }),
      })
    } catch {
      return problem('unavailable')
    }
    const ended = await readLogoutToken(parts, String(token[0]), keys)
    if (!ended) return problem('invalid_request')
    if (parts.config.store) await parts.config.store.endAll(ended)
    return { status: 200, headers: [['cache-control', 'no-store']], body: '' }
  }
}

/** Section 2.6. Undefined: it is none. */
async function readLogoutToken(
  { clock, config }: WebParts,
  token: string,
  keys: JWTVerifyGetKey,
): Promise<{ readonly sub?: string; readonly sid?: string } | undefined> {
  const { jwtVerify } = await optionalPeer('jose')
  let payload: JWTPayload
  try {
    const verified = await jwtVerify(token, keys, {
      issuer: issuerText(config.issuer),
      audience: config.clientId,
      algorithms: ALGORITHMS,
      typ: 'logout+jwt',
      maxTokenAge: OLDEST_SECONDS,
      clockTolerance: 30,
      requiredClaims: ['iat', 'jti', 'events'],
      currentDate: new Date(clock.nowMs()),
    })
    payload = verified.payload
  } catch {
    return undefined
  }
  const { events, nonce, sub, sid } = payload
  const isEvent = typeof events === 'object' && events !== null && Object.hasOwn(events, EVENT)
  // A nonce: it is an ID token, or one made to look like this.
  if (!isEvent || nonce !== undefined) return undefined
  const ended = {
    ...(typeof sub === 'string' && { sub }),
    ...(typeof sid === 'string' && { sid }),
  }
  return 'sub' in ended || 'sid' in ended ? ended : undefined
}

/** An issuer without a path is written without a slash at its end. */
function issuerText({ href, origin, pathname }: URL): string {
  return pathname === '/' ? origin : href
}
