/** What the feed says, as it stands on the wire, checked member by member: everything later trusts it. */

export interface FeedRow {
  readonly seq: number
  readonly kind: string
  readonly key: string
  readonly effect: string
  /** Unix milliseconds: nobody needs the row afterwards. */
  readonly dropAfterMs: number
}

/** "Every row up to `head` was sent before this, and that was all there was `ageMs` ago." */
export interface Heartbeat {
  readonly epoch: string
  readonly head: number
  /** The server's wall clock. */
  readonly nowMs: number
  readonly ageMs: number
  /** Since the server received the request that it answers; absent where it does not say. */
  readonly streamMs: number | undefined
}

export interface FeedResource {
  readonly id: string
  readonly uri: string
  readonly createdAtMs: number
  readonly cacheSeconds: number
}

export interface Snapshot extends Heartbeat {
  readonly issuer: string
  /** The one tenant that the credential reaches, or null for all; undefined where the server does not say. */
  readonly tenant: string | null | undefined
  readonly resources: readonly FeedResource[]
  readonly keys: readonly Members[]
  readonly rows: readonly FeedRow[]
}

/** What a long poll answers. */
export interface Events extends Heartbeat {
  readonly rows: readonly FeedRow[]
  readonly keysTag: string | undefined
  readonly keys: readonly Members[] | undefined
}

export type Members = Readonly<Record<string, unknown>>

/** Each of these answers undefined for what is not one. */
export function parseSnapshot(json: unknown): Snapshot | undefined {
  return reading(() => {
    const wire = object(json)
    const tenant = wire['tenant']
    return {
      ...heartbeat(wire),
      issuer: text(wire['issuer']),
      tenant: tenant === null || tenant === undefined ? tenant : text(tenant),
      resources: list(wire['resources']).map(resource),
      keys: keySet(wire['jwks']),
      rows: list(wire['rows']).map(row),
    }
  })
}

export function parseEvents(json: unknown): Events | { readonly reset: true } | undefined {
  return reading(() => {
    const wire = object(json)
    if (wire['reset'] === true) return { reset: true }
    const { jwks, jwks_etag: tag } = wire
    return {
      ...heartbeat(wire),
      rows: list(wire['rows']).map(row),
      keysTag: tag === undefined ? undefined : text(tag),
      keys: jwks === undefined ? undefined : keySet(jwks),
    }
  })
}

export function parseRow(json: unknown): (FeedRow & { readonly epoch: string }) | undefined {
  return reading(() => ({ ...row(json), epoch: text(object(json)['epoch']) }))
}

export function parseHeartbeat(json: unknown): Heartbeat | undefined {
  return reading(() => heartbeat(object(json)))
}

export function parseKeySet(json: unknown): readonly Members[] | undefined {
  return reading(() => keySet(json))
}

function heartbeat(wire: Members): Heartbeat {
  const { stream_ms: streamMs } = wire
  return {
    epoch: text(wire['epoch']),
    head: whole(wire['head']),
    nowMs: whole(wire['now']),
    ageMs: whole(wire['age_ms']),
    streamMs: streamMs === undefined ? undefined : whole(streamMs),
  }
}

function row(json: unknown): FeedRow {
  const wire = object(json)
  return {
    seq: whole(wire['seq']),
    kind: text(wire['kind']),
    key: text(wire['key']),
    effect: text(wire['effect']),
    dropAfterMs: whole(wire['drop_after']),
  }
}

function resource(json: unknown): FeedResource {
  const wire = object(json)
  const createdAtMs = Date.parse(text(wire['created_at']))
  return {
    id: text(wire['id']),
    uri: text(wire['uri']),
    createdAtMs: Number.isNaN(createdAtMs) ? unreadable() : createdAtMs,
    cacheSeconds: whole(wire['cache_seconds']),
  }
}

function keySet(json: unknown): readonly Members[] {
  return list(object(json)['keys']).map(object)
}

class Unreadable extends Error {}

function unreadable(): never {
  throw new Unreadable()
}

function reading<Value>(read: () => Value): Value | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof Unreadable) return undefined
    throw error
  }
}

function object(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Members)
    : unreadable()
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : unreadable()
}

function text(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : unreadable()
}

function whole(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : unreadable()
}
