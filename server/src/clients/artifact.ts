/**
 * What the OAuth engine keeps between two requests: codes, tokens, grants, its sessions. Stored under a digest of its
 * id, because most of these ids are credentials: whoever reads the database can present none of them.
 */
import { createHash } from 'node:crypto'

export interface Artifact {
  /** The engine's own name for it: `AuthorizationCode`, `RefreshToken`, `Grant`, … */
  readonly model: string
  /** As it is presented; never stored. */
  readonly id: string
  readonly payload: Readonly<Record<string, unknown>>
  /** The position of the feed, read before what led to it was checked: it is dead under a newer floor. */
  readonly rsn: number
  readonly expiresAtMs: number
}

/** Members of a payload that are stored in columns of their own, too. */
export interface ArtifactLinks {
  readonly grantId: string | null
  readonly uid: string | null
  readonly userCode: string | null
  readonly accountId: string | null
  readonly clientId: string | null
  readonly tenantId: string | null
}

/** They hold another secret in their payload (their own id, a cookie's value), so that it is sealed whole. */
export const SEALED_MODELS: ReadonlySet<string> = new Set(['DeviceCode', 'Session', 'Interaction'])

/** They descend from a grant: without it they are neither stored nor found. */
const OF_A_GRANT: ReadonlySet<string> = new Set([
  'AuthorizationCode',
  'AccessToken',
  'RefreshToken',
  'DeviceCode',
])

export function linksOf({ model, id, payload }: Omit<Artifact, 'rsn' | 'expiresAtMs'>): ArtifactLinks {
  const text = (name: string): string | null => {
    const value = payload[name]
    return typeof value === 'string' ? value : null
  }
  return {
    grantId: model === 'Grant' ? id : OF_A_GRANT.has(model) ? text('grantId') : null,
    uid: model === 'Session' ? text('uid') : null,
    userCode: model === 'DeviceCode' ? text('userCode') : null,
    accountId: text('accountId'),
    clientId: text('clientId'),
    tenantId: text('tenant'),
  }
}

/** What an artifact is stored under; for an opaque access token, its name in the feed and for verify. */
export function idHash(model: string, id: string): string {
  return createHash('sha256').update(`${model}\n${id}`).digest('base64url')
}
