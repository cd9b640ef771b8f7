/**
 * Two helpers of the engine that custom grants need and that it does not export. The engine is pinned exactly, so that
 * this cannot change unseen.
 */
import type { Provider } from 'oidc-provider'
import type { KoaContextWithOIDC } from 'oidc-provider'
// @ts-expect-error -- not part of the typed surface
import * as dpop from 'oidc-provider/lib/helpers/validate_dpop.js'

export interface DpopProof {
  /** The JWK thumbprint of the key that signed it. */
  readonly thumbprint: string
  readonly jti: string
}

const helpers = dpop as {
  default(provider: Provider, ctx: KoaContextWithOIDC): Promise<DpopProof | undefined>
  checkDpopReplay(
    provider: Provider,
    ctx: KoaContextWithOIDC,
    proof: DpopProof | undefined,
    clientId: string,
  ): Promise<void>
}

/** The request's DPoP proof (RFC 9449), checked, but not used up; checked once a request, however often it is asked. */
export function checkDpopProof(ctx: KoaContextWithOIDC): Promise<DpopProof | undefined> {
  return helpers.default(ctx.oidc.provider, ctx)
}

/** The request's DPoP proof (RFC 9449), checked and used up; undefined when it has none. Throws when it is not good. */
export async function takeDpopProof(ctx: KoaContextWithOIDC): Promise<DpopProof | undefined> {
  const { provider } = ctx.oidc
  const proof = await helpers.default(provider, ctx)
  await helpers.checkDpopReplay(provider, ctx, proof, String(ctx.oidc.client?.clientId))
  return proof
}
