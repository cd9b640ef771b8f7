/**
 * The rule for tokens that are bound to a key (RFC 9449, section 7): they come with a proof, made for this very request
 * and never seen in this process. Checked on every use, also of a token that is known.
 */
import type { Credential } from './credentials.ts'
import { denial, type Denial } from './denial.ts'
import { checkDpopProof } from './tokens/dpop-proof.ts'
import type { SeenProofs } from './tokens/seen-proofs.ts'

/** What came with a token that was presented as `Authorization: DPoP`. */
export interface PresentedProof {
  readonly dpop: string
  readonly method: string
  /** Absolute: this API's own URL with the request's path. */
  readonly url: string
}

/** Whether there is anything to prove, or to refuse for being there. */
export function concernsProof({ constraints }: Credential, proof: PresentedProof | undefined): boolean {
  return constraints.jkt !== undefined || proof !== undefined
}

export async function provePossession(
  { constraints: { jkt } }: Credential,
  token: string,
  proof: PresentedProof | undefined,
  { nowMs, seenProofs }: { readonly nowMs: number; readonly seenProofs: SeenProofs },
): Promise<Denial | undefined> {
  // Section 7.1: a proof has to be of the key that the token is bound to. There is none, and whoever sends a proof
  // believes that there is.
  if (jkt === undefined) return denial('proof_invalid')
  if (proof === undefined) return denial('proof_required')
  const accepted = await checkDpopProof(proof.dpop, { ...proof, token, jkt, nowMs })
  const seen = accepted && seenProofs.note(accepted, nowMs)
  if (seen === 'full') return denial('unavailable', { retryAfterSeconds: 1 })
  return seen === 'new' ? undefined : denial('proof_invalid')
}
