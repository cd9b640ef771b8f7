/** The rules that a key must meet whichever operation writes it: scopes, lifetime, addresses, metadata. */
import { type Clock, invalid, looksLikeAnId, missingScopes, parseCidrs } from '../kernel/index.ts'
import type { Resource } from '../resources/index.ts'

export const MOST_CIDRS = 100
export const MOST_METADATA_BYTES = 4_096
const LONGEST_LIFETIME_MS = 100 * 366 * 86_400_000

export interface Expiry {
  /** Null: never, which must be said. */
  readonly expiresAtMs?: number | null | undefined
  readonly expiresInSeconds?: number | undefined
}

/** When the key ends: as asked, else by the resource's default. */
export function resolveExpiry(input: Expiry, resource: Resource, clock: Clock): number | null {
  const nowMs = clock.nowMs()
  if (input.expiresAtMs !== undefined && input.expiresInSeconds !== undefined)
    throw invalid('/expires_in_seconds', 'Give either expires_at or expires_in_seconds.')
  if (input.expiresAtMs === null) return null
  const seconds = input.expiresInSeconds ?? resource.keyLifetimeSeconds
  const expiresAtMs = input.expiresAtMs ?? (seconds === null ? null : nowMs + seconds * 1000)
  if (expiresAtMs === null) return null
  if (expiresAtMs <= nowMs) throw invalid('/expires_at', 'The expiry must lie in the future.')
  if (expiresAtMs > nowMs + LONGEST_LIFETIME_MS)
    throw invalid('/expires_at', 'The expiry lies more than a century ahead; null means never.')
  return expiresAtMs
}

export function checkScopes(scopes: readonly string[], resource: Resource): void {
  const unknown = missingScopes(
    resource.scopes.map((scope) => scope.name),
    scopes,
  )
  if (unknown.length > 0)
    throw invalid('/scopes', `The resource has no scope ${unknown.slice(0, 5).join(', ')}.`)
}

export function checkOwner(owner: string): void {
  if (looksLikeAnId(owner)) throw invalid('/owner', 'An owner may not look like one of our own ids.')
}

export function checkAddresses(ipAllow: readonly string[]): void {
  try {
    parseCidrs(ipAllow)
  } catch (error) {
    throw invalid('/ip_allow', `${(error as Error).message}.`)
  }
}

export function checkMetadata(metadata: Readonly<Record<string, unknown>>): void {
  const bytes = Buffer.byteLength(JSON.stringify(metadata))
  if (bytes > MOST_METADATA_BYTES)
    throw invalid(
      '/metadata',
      `The metadata has ${bytes} bytes of JSON; at most ${MOST_METADATA_BYTES} are kept.`,
    )
}
