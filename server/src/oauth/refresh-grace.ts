/**
 * A refresh whose answer was lost is sent again. Within a few seconds the retry gets the very same answer, so that there
 * are never two; later, or from a client that proves nothing, a second presentation means theft and ends the grant
 * (RFC 9700, section 4.14.2). Only clients that authenticate, and tokens that are bound to a key, have this grace: whoever
 * merely found the token gains nothing by it.
 *
 * The answer is kept sealed under a key that is derived from the presented token, which is stored nowhere.
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Artifact } from '../clients/index.ts'
import { deriveKey, open, seal } from '../kernel/index.ts'
import { checkDpopProof, type DpopProof, takeDpopProof } from './engine-internals.ts'
import type { EngineClient } from './client-metadata.ts'
import { evidence } from './evidence.ts'
import { type Held, holdBack, writeHeld } from './one-write.ts'
import type { OAuthPorts } from './ports.ts'

export const GRACE_SECONDS = 10
/** How long a retry waits for the answer of the request that it repeats, which may still be under way. */
const WAIT_MS = 1_500
const POLL_MS = 15

type GrantHandler = (ctx: KoaContextWithOIDC) => Promise<void>
type Ports = Pick<OAuthPorts, 'artifacts' | 'clock'>

/** As far as a stored refresh token is used here. */
interface StoredRefreshToken {
  readonly clientId: string
  readonly grantId: string
  readonly accountId: string
  readonly jkt?: string
  readonly consumed?: number
}

/** The engine's handler of `grant_type=refresh_token`, with that around it. */
export function withGrace(ports: Ports, refresh: GrantHandler): GrantHandler {
  return async (ctx) => {
    const client = ctx.oidc.client as unknown as EngineClient
    const token = String(ctx.oidc.params?.['refresh_token'] ?? '')
    const stored = (await ports.artifacts.find('RefreshToken', token)) as StoredRefreshToken | undefined
    const hasGrace =
      stored !== undefined &&
      stored.clientId === client.clientId &&
      (client.clientAuthMethod !== 'none' || stored.jkt !== undefined)
    if (!hasGrace) return refresh(ctx)

    if (stored.consumed !== undefined) {
      const proof = await takeDpopProof(ctx)
      // Without its key, a bound token has not been presented at all: nobody's grant ends by that.
      if (stored.jkt !== undefined && proof?.thumbprint !== stored.jkt)
        throw new errors.InvalidGrant('failed jkt verification')
      return repeat(ports, ctx, stored, contextOf(ctx, proof))
    }
    evidence().graceful = true
    const held: Held = { consumed: undefined, saved: [] }
    await holdBack(held, () => refresh(ctx))
    // The engine has checked and used up the proof by now.
    const context = contextOf(ctx, await checkDpopProof(ctx))
    held.saved.push(answerOf(ports, token, stored, context, ctx.body))
    if ((await writeHeld(ports.artifacts, held, { spare: true })) === 'lost')
      return repeat(ports, ctx, stored, context)
  }
}

/** The answer that the token was given; without one the grant ends. */
async function repeat(
  { artifacts, clock }: Ports,
  ctx: KoaContextWithOIDC,
  { grantId }: StoredRefreshToken,
  context: string,
): Promise<void> {
  const token = String(ctx.oidc.params?.['refresh_token'])
  for (const deadline = clock.monotonicMs() + WAIT_MS; ; await pause()) {
    const kept = (await artifacts.find('RefreshAnswer', token)) as
      | { sealed: string; until: number }
      | undefined
    const answer = kept && kept.until > clock.nowMs() ? openAnswer(token, kept.sealed, context) : undefined
    if (answer !== undefined) {
      ctx.body = answer
      return
    }
    // One that is too old, or of another question, will not get better; nor does a grant that has ended.
    if (kept || clock.monotonicMs() > deadline || !(await artifacts.find('Grant', grantId))) break
  }
  await artifacts.revokeGrant(grantId, 'RefreshToken presented twice')
  throw new errors.InvalidGrant('RefreshToken was presented twice')
}

/** The answer, to be kept for a retry. */
function answerOf(
  { clock }: Ports,
  token: string,
  { grantId, accountId, clientId }: StoredRefreshToken,
  context: string,
  answer: unknown,
): Artifact {
  const until = clock.nowMs() + GRACE_SECONDS * 1000
  const sealed = seal(answerKey(token), JSON.stringify(answer), context)
  const payload = { grantId, accountId, clientId, sealed, until }
  const { rsn } = evidence()
  return { model: 'RefreshAnswer', id: token, payload, rsn, expiresAtMs: until }
}

function openAnswer(token: string, sealed: string, context: string): unknown {
  try {
    return JSON.parse(open(answerKey(token), sealed, context).toString())
  } catch {
    return undefined
  }
}

function answerKey(token: string): Buffer {
  return deriveKey(token, 'oauth refresh answer')
}

/** What must be the same for the answer to be the same. */
function contextOf(ctx: KoaContextWithOIDC, proof: DpopProof | undefined): string {
  const { scope, resource } = ctx.oidc.params ?? {}
  return JSON.stringify([ctx.oidc.client?.clientId, scope, resource, proof?.thumbprint])
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, POLL_MS))
}
