/** A signing key's life: next → active → retiring → gone, and `revoked` out of any of them. Pure rules, no I/O. */
import { PosternError } from '../kernel/index.ts'

export const SIGNING_ALGORITHMS = ['ES256', 'RS256', 'EdDSA'] as const
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]

/** The one that every deployment has; the others are made when they are first asked for. */
export const DEFAULT_ALGORITHM: SigningAlgorithm = 'ES256'

export type SigningKeyState = 'next' | 'active' | 'retiring' | 'gone' | 'revoked'

/** Everything but the private part, which is never held together with it. Times are Unix milliseconds. */
export interface SigningKey {
  /** The RFC 7638 thumbprint of the public key; also its id. */
  readonly kid: string
  readonly algorithm: SigningAlgorithm
  readonly state: SigningKeyState
  readonly publicJwk: PublicJwk
  readonly createdAtMs: number
  /** Of a `next` key: when it begins to sign. */
  readonly activatesAtMs: number
  readonly activatedAtMs: number | null
  readonly retiredAtMs: number | null
  /** Of a `retiring` key: when the last token that it signed has expired. */
  readonly endsAtMs: number | null
  readonly endedAtMs: number | null
  readonly revokedAtMs: number | null
  readonly revokedReason: string | null
}

/** RFC 7517, public members alone. */
export type PublicJwk = Readonly<Record<'kid' | 'alg' | 'use' | 'kty', string>> &
  Readonly<Partial<Record<'crv' | 'x' | 'y' | 'n' | 'e', string>>>

export interface RotationRules {
  /** From one key's first signature to the next one's. */
  readonly rotateEveryMs: number
  /** How long a key stands in the JWKS before it signs: the caches of verifiers, and a margin. */
  readonly publishAheadMs: number
}

/** What verifiers are told by Cache-Control. */
export const JWKS_CACHE_SECONDS = 300
/** jose keeps a JWKS for ten minutes whatever it is told. */
const PUBLISH_MARGIN_SECONDS = 600

export const ROTATION: RotationRules = {
  rotateEveryMs: 90 * 86_400_000,
  publishAheadMs: (JWKS_CACHE_SECONDS + PUBLISH_MARGIN_SECONDS) * 1000,
}

/** A node may sign with the old key until it has heard of the new one, and its clock may be behind. */
const RETIRING_MARGIN_MS = 120_000

export function retiringEndsAtMs(retiredAtMs: number, longestTokenSeconds: number): number {
  return retiredAtMs + longestTokenSeconds * 1000 + RETIRING_MARGIN_MS
}

export type Step =
  | { readonly act: 'activate'; readonly key: SigningKey }
  | { readonly act: 'end'; readonly key: SigningKey }
  | {
      readonly act: 'publish'
      readonly algorithm: SigningAlgorithm
      readonly as: 'next' | 'active'
      readonly activatesAtMs: number
    }

/**
 * What is due, for `wanted` algorithms and those already in use. The first key of an algorithm signs at once: no
 * verifier can have a cache without it.
 */
export function stepsDue(
  keys: readonly SigningKey[],
  wanted: readonly SigningAlgorithm[],
  nowMs: number,
  rules: RotationRules,
): Step[] {
  const inUse = keys.filter(({ state }) => state === 'active' || state === 'next')
  const steps: Step[] = keys
    .filter(({ state, endsAtMs }) => state === 'retiring' && endsAtMs !== null && endsAtMs <= nowMs)
    .map((key) => ({ act: 'end', key }))
  for (const algorithm of new Set([...wanted, ...inUse.map((key) => key.algorithm)])) {
    const active = inUse.find((key) => key.algorithm === algorithm && key.state === 'active')
    const next = inUse.find((key) => key.algorithm === algorithm && key.state === 'next')
    const step = stepOf(algorithm, active, next, nowMs, rules)
    if (step) steps.push(step)
  }
  return steps
}

function stepOf(
  algorithm: SigningAlgorithm,
  active: SigningKey | undefined,
  next: SigningKey | undefined,
  nowMs: number,
  rules: RotationRules,
): Step | undefined {
  if (next && (!active || next.activatesAtMs <= nowMs)) return { act: 'activate', key: next }
  if (!active) return { act: 'publish', algorithm, as: 'active', activatesAtMs: nowMs }
  const dueAtMs = (active.activatedAtMs ?? active.createdAtMs) + rules.rotateEveryMs
  const soonestMs = nowMs + rules.publishAheadMs
  if (next || dueAtMs > soonestMs) return undefined
  return { act: 'publish', algorithm, as: 'next', activatesAtMs: Math.max(dueAtMs, soonestMs) }
}

/** Throws a sentence for whatever is not one of ours; HS256 gets the reason and the way off it. */
export function requireAlgorithm(text: string): SigningAlgorithm {
  const known = SIGNING_ALGORITHMS.find((algorithm) => algorithm === text)
  if (known) return known
  const detail = /^HS\d/i.test(text)
    ? `${text.slice(0, 10)} is refused: everyone who can check such a token can also make one. Use ES256; docs/leaving-hs256.md shows the way.`
    : `The algorithm is one of ${SIGNING_ALGORITHMS.join(', ')}.`
  throw new PosternError('invalid_request', detail, { errors: [{ pointer: '/algorithm', detail }] })
}
