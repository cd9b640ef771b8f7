/**
 * From a token of ours to a credential, here and without the server: its signature and claims, and whether a row of the
 * feed denies it. FEED's rule is "deny if any of them matches; no level masks another". What a row has changed since the
 * token was issued, and what cannot be judged from here, the server is asked.
 */
import { NO_LIMITS } from '../counted-limits.ts'
import type { Credential } from '../credentials.ts'
import { denial, type Denial } from '../denial.ts'
import { ASK, PRINT_LENGTH } from '../feed/deny-table.ts'
import type { FeedResource } from '../feed/feed-messages.ts'
import type { Knowledge } from '../feed/knowledge.ts'
import { internedList, internedWord } from '../interned.ts'
import type { Principal } from '../principal.ts'
import { refsOfToken } from '../refs.ts'
import { deepFreeze } from '../reply.ts'
import { type AccessTokenClaims, readActors } from './access-token.ts'
import { claimedIssuer, takeApart, type VerifiedToken, verifyAccessToken } from './verify-access-token.ts'

export interface TokenJudge {
  readonly knowledge: Knowledge
  /** The URI of the API that is being called. */
  readonly resource: string
  readonly tenant: string | undefined
  /** How long a judgement may be kept at most, whatever the server allows. */
  readonly longestMs: number
  monotonicMs(): number
  /** The keys again; undefined when they were asked for a moment ago. */
  seekKeys(): Promise<void> | undefined
  /** A token claims a position that the feed cannot have reached. */
  onPositionAhead(kid: string): void
}

type Judgement = Credential | Denial | 'ask'

/** The server's positions are microseconds since 1970, or follow one another: beyond this they are nobody's. */
const FAR_AHEAD_US = 60 * 1_000_000

/** A promise where a key is sought, and where the runtime has only WebCrypto. */
export function judgeToken(judge: TokenJudge, text: string): Judgement | Promise<Judgement> {
  const { knowledge, resource } = judge
  const about = knowledge.resources.get(resource)
  // Whom this service may ask about, the server knows; until it says so, it is asked.
  if (!about || knowledge.tenant === undefined) return 'ask'
  const token = takeApart(text)
  if (!token) return denial('malformed')
  const { kid } = token.header
  if (kid === undefined || !knowledge.keys.has(kid)) {
    // Only whom to ask is taken from the unproven payload.
    if (claimedIssuer(token) !== knowledge.issuer) return 'ask'
    const sought = kid === undefined ? undefined : judge.seekKeys()
    if (sought) return sought.then(verify)
  }
  return verify()

  function verify(): Judgement | Promise<Judgement> {
    const nowMs = knowledge.wallMs(judge.monotonicMs())
    const expected = { issuer: knowledge.issuer, resource, nowMs }
    const verified = verifyAccessToken(token as NonNullable<typeof token>, knowledge.keys, expected)
    // The rows last, in one go with what is kept: nothing that arrives while a signature is checked is missed.
    return verified instanceof Promise
      ? verified.then((verified) => judgeVerified(judge, verified))
      : judgeVerified(judge, verified)
  }
}

function judgeVerified(judge: TokenJudge, verified: VerifiedToken | Denial): Judgement {
  if (!verified.valid) return verified
  const { claims, key } = verified
  const { knowledge } = judge
  // It may have gone while the signature was checked.
  if (knowledge.keys.get(key.kid) !== key) return denial('unknown')
  const about = knowledge.resources.get(judge.resource)
  // Two of ours in one `aud` would be a guess: the server knows all of them.
  if (!about || (typeof claims.aud !== 'string' && claims.aud.length > 1)) return 'ask'

  const monotonicMs = judge.monotonicMs()
  const nowMs = knowledge.wallMs(monotonicMs)
  if (claims.rsn > Math.max(knowledge.position, nowMs * 1000) + FAR_AHEAD_US) {
    judge.onPositionAhead(key.kid)
    return denial('unknown')
  }
  // Rows about another tenant's credentials do not come over this service's feed.
  if (typeof knowledge.tenant === 'string' && claims.tenant !== knowledge.tenant) return denial('unknown')
  if (judge.tenant !== undefined && claims.tenant !== judge.tenant) return denial('wrong_tenant')
  // A URI may be used again after its resource was deleted; tokens for the earlier one are not for the later.
  if (claims.iat < Math.floor(about.createdAtMs / 1000)) return denial('revoked')

  const { rows } = knowledge
  const prints = rows.fingerprintsOf([...refsOfToken(claims, about.id), `signing_key:${key.kid}`])
  if (rows.hasEnded(prints)) return denial('revoked')
  // A rotation is a row about the key, too. What it changes is told with the keys; only an end counts of it.
  const force = rows.forceOver(prints.slice(0, -PRINT_LENGTH), claims.rsn)
  if (force === ASK) return 'ask'
  if (force > ASK) return denial('revoked')
  // Somebody counts its requests. A token that was issued before there were limits is touched by the row about them.
  if (claims.lim) return 'ask'

  return {
    valid: true,
    principal: principalOf(claims, about),
    constraints: {
      environment: 'live',
      // Single-page applications hold tokens; that is what their short life is for.
      browser: true,
      expiresAtMs: claims.exp * 1000,
      ...(claims.cnf && { jkt: claims.cnf.jkt }),
    },
    limits: NO_LIMITS,
    usedAs: claims.anc?.find((id) => id.startsWith('key_')) ?? claims.gid ?? claims.sid ?? '',
    cell: undefined,
    prints,
    position: knowledge.position,
    revision: rows.revision,
    untilMs: monotonicMs + Math.min(judge.longestMs, about.cacheSeconds * 1000, claims.exp * 1000 - nowMs),
    // Without the feed nobody knows whether it has ended: the server is asked.
    aloneUntilMs: Number.NEGATIVE_INFINITY,
  }
}

function principalOf(claims: AccessTokenClaims, { uri }: FeedResource): Principal {
  const { sub } = claims
  const act = readActors(claims.act)
  return deepFreeze({
    valid: true as const,
    sub,
    subType: sub.startsWith('usr_') ? 'user' : sub.startsWith('cli_') ? 'client' : 'external',
    tenant: internedWord(claims.tenant),
    resource: uri,
    scopes: internedList(claims.scope?.split(' ').filter((word) => word !== '') ?? []),
    roles: internedList(claims.roles ?? []),
    credential: { type: 'access_token', id: claims.jti, environment: 'live' },
    clientId: internedWord(claims.client_id),
    ...(act && { act }),
    ...(claims.cnf && { cnf: claims.cnf }),
    ...(claims.gid !== undefined && { grantId: claims.gid }),
    ...(claims.sid !== undefined && { sessionId: claims.sid }),
    ...(claims.acr !== undefined && { acr: internedWord(claims.acr) }),
    ...(claims.amr && { amr: internedList(claims.amr) }),
    ...(claims.auth_time !== undefined && { authTimeMs: claims.auth_time * 1000 }),
    expiresAtMs: claims.exp * 1000,
  })
}
