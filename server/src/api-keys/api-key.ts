/** An API key as it is stored: everything but the secret. */
import type { Environment } from '../kernel/index.ts'

export interface ApiKey {
  readonly id: string
  readonly tenantId: string
  readonly resourceId: string
  /** The subject: the API team's own id for whoever holds the key. */
  readonly owner: string
  readonly name: string
  readonly environment: Environment
  readonly scopes: readonly string[]
  readonly prefix: string
  /** Null for imported keys, which are found by their hash. */
  readonly lookup: string | null
  readonly last4: string | null
  readonly hash: string
  readonly pepperVersion: number
  readonly importedAlgorithm: 'sha256' | null
  readonly ipAllow: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
  /** Management keys only: the resource ids they may act on; null: all. */
  readonly boundResources: readonly string[] | null
  /** The feed's position when the key was made: it is dead under a newer floor. */
  readonly rsn: number
  readonly createdAtMs: number
  readonly createdBy: string
  readonly notBeforeMs: number | null
  readonly expiresAtMs: number | null
  readonly disabledAtMs: number | null
  readonly revokedAtMs: number | null
  readonly revokedReason: string | null
  readonly rotatedAtMs: number | null
  readonly rotatedTo: string | null
  readonly rotatedFrom: string | null
  readonly lastUsedAtMs: number | null
  readonly lastUsedNetwork: string | null
}

/** A key together with its text, which is shown once and never stored. */
export interface IssuedKey {
  readonly record: ApiKey
  readonly key: string
}

export const KEY_STATUSES = ['active', 'disabled', 'expired', 'revoked'] as const
export type KeyStatus = (typeof KEY_STATUSES)[number]

/** The first that applies: revoked, expired, disabled, active. */
export function keyStatus(key: ApiKey, nowMs: number): KeyStatus {
  if (key.revokedAtMs !== null) return 'revoked'
  if (key.expiresAtMs !== null && key.expiresAtMs <= nowMs) return 'expired'
  return key.disabledAtMs === null ? 'active' : 'disabled'
}
