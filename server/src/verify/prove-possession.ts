/**
 * The rule for tokens that are bound to a key (RFC 9449, section 7): they come with a proof, made for this very request
 * and never seen before. Checked on every use, also of a token that is cached.
 */
import { denial, type Denial, type Principal } from '../kernel/index.ts'
import { checkDpopProof } from '../tokens/index.ts'
import type { SeenProofs } from './seen-proofs.ts'
import type { VerifyRequest } from './verify-request.ts'

export function provePossession(
  { cnf }: Principal,
  { credential, dpop, method, url }: VerifyRequest,
  { nowMs, seenProofs }: { readonly nowMs: number; readonly seenProofs: SeenProofs },
): Denial | undefined {
  // Section 7.1: a proof has to be of the key that the token is bound to. There is none, and whoever sends a proof
  // believes that there is.
  if (!cnf) return dpop === undefined ? undefined : denial('proof_invalid')
  if (dpop === undefined) return denial('proof_required')
  if (cnf.jkt === undefined || method === undefined || url === undefined) return denial('proof_invalid')
  const proof = checkDpopProof(dpop, { token: credential, jkt: cnf.jkt, method, url, nowMs })
  const seen = proof && seenProofs.note(proof, nowMs)
  if (seen === 'full') return denial('unavailable', { retryAfterSeconds: 1 })
  return seen === 'new' ? undefined : denial('proof_invalid')
}
