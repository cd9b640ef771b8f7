/** How old a credential is, beside how old it may become. Pure. */

export const CREDENTIAL_KINDS = [
  'api_key',
  'operator_key',
  'client_secret',
  'webhook_secret',
  'signing_key',
] as const
export type CredentialKind = (typeof CREDENTIAL_KINDS)[number]

/** `due`: its end, or its greatest age, is near. `overdue`: it is older than it may be, and goes on. */
export type AgingState = 'due' | 'overdue'

export interface Aging {
  readonly kind: CredentialKind
  readonly id: string
  /** Whose: an owner of keys, a client, a webhook, an algorithm. */
  readonly holder: string
  readonly tenant: string | null
  /** The API's URI; null where it is not about one. */
  readonly resource: string | null
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
  /** When it reaches its greatest age; null: there is none. */
  readonly dueAtMs: number | null
  readonly state: AgingState
}

export interface AgeRule {
  readonly maxAgeMs: number | null
  readonly noticeMs: number
}

/** Undefined for what is neither due nor overdue; what has ended needs no rotation. */
export function ageOf(
  { createdAtMs, expiresAtMs }: { readonly createdAtMs: number; readonly expiresAtMs: number | null },
  { maxAgeMs, noticeMs }: AgeRule,
  nowMs: number,
): { readonly state: AgingState; readonly dueAtMs: number | null } | undefined {
  if (expiresAtMs !== null && expiresAtMs <= nowMs) return undefined
  const dueAtMs = maxAgeMs === null ? null : createdAtMs + maxAgeMs
  if (dueAtMs !== null && dueAtMs <= nowMs) return { state: 'overdue', dueAtMs }
  const soonMs = nowMs + noticeMs
  const near = (atMs: number | null): boolean => atMs !== null && atMs <= soonMs
  return near(dueAtMs) || near(expiresAtMs) ? { state: 'due', dueAtMs } : undefined
}
