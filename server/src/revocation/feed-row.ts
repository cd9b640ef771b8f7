/** A row of the feed: what ended or changed, and in which place of the one order. */

/** Terminal kinds deny always; so does anything deleted. */
export const TERMINAL_KINDS = ['token', 'api_key', 'session', 'grant', 'signing_key', 'proof_key'] as const
/** Levels stay alive afterwards: they deny what is older than the row. */
export const LEVEL_KINDS = ['tenant', 'client', 'subject', 'actor'] as const
export type FeedKind =
  | (typeof TERMINAL_KINDS)[number]
  | (typeof LEVEL_KINDS)[number]
  | 'resource'
  | 'limit'
  | 'gateway'

/**
 * `revoked` ends (a terminal kind for ever, a level what is older), `changed` makes verifiers ask again, `deleted` ends
 * any kind for ever, whatever position a credential claims.
 */
export type FeedEffect = 'revoked' | 'changed' | 'deleted'

export interface FeedChange {
  readonly kind: FeedKind
  readonly key: string
  readonly effect: FeedEffect
  readonly tenant: string | null
  /** Stays in the database. */
  readonly reason?: string | null
  /** Who did it; stays in the database. */
  readonly actor: string
}

export interface FeedRow extends Omit<FeedChange, 'reason' | 'actor'> {
  /** Microseconds since 1970, or one more than the row before: a safe integer. */
  readonly seq: number
  readonly epoch: string
  /** Unix milliseconds. */
  readonly at: number
  readonly dropAfter: number
}

export function isLevel(kind: FeedKind): boolean {
  return (LEVEL_KINDS as readonly string[]).includes(kind)
}

/** What a row and a credential have in common when the row touches the credential. */
export function feedRef(kind: FeedKind, key: string): string {
  return `${kind}:${key}`
}

/** An external owner id means something inside its tenant only; an id of ours is unique. */
export function subjectKey(tenant: string, sub: string): string {
  return /^(usr|cli)_/.test(sub) ? sub : `${tenant}/${sub}`
}
