/** The keys that tokens of ours are signed with, as the feed tells them: imported once, held by `kid`. */
import type { Members } from '../feed/feed-messages.ts'
import { importKey, isJwsAlgorithm, type SignatureKey } from './jws-signature.ts'

export interface VerificationKey extends SignatureKey {
  readonly kid: string
}

export type VerificationKeys = ReadonlyMap<string, VerificationKey>

export const NO_KEYS: VerificationKeys = new Map()

/** A key that is already held stays the object that it is. One that cannot be used is left out. */
export function importKeys(
  keySet: readonly Members[],
  held: VerificationKeys,
): VerificationKeys | Promise<VerificationKeys> {
  const imported = keySet.map((jwk) => importOne(jwk, held))
  return imported.some((key) => key instanceof Promise)
    ? Promise.all(imported).then(byKid)
    : byKid(imported as (VerificationKey | undefined)[])
}

function byKid(keys: readonly (VerificationKey | undefined)[]): VerificationKeys {
  return new Map(keys.filter((key) => key !== undefined).map((key) => [key.kid, key]))
}

function importOne(
  jwk: Members,
  held: VerificationKeys,
): VerificationKey | undefined | Promise<VerificationKey | undefined> {
  const { kid, alg, use } = jwk
  // The server names the algorithm of each key; without it a token could choose.
  if (typeof kid !== 'string' || !isJwsAlgorithm(alg) || (use !== undefined && use !== 'sig'))
    return undefined
  const known = held.get(kid)
  // A `kid` is made from its key, so it never means another one later.
  if (known?.alg === alg) return known
  const key = importKey(jwk, alg)
  const named = (imported: SignatureKey | undefined) => imported && { ...imported, kid }
  return key instanceof Promise ? key.then(named) : named(key)
}
