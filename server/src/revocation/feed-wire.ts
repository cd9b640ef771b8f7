/** The feed as it is written on the wire: a row is put into words once, whoever reads it. */
import type { FeedRow } from './feed-row.ts'

/** What a heartbeat promises: every row up to `head` was sent before it, and that was all there was `ageMs` ago. */
export interface Beat {
  readonly epoch: string
  readonly head: number
  /** The server's wall clock, Unix milliseconds. */
  readonly now: number
  readonly ageMs: number
  /** All of it as JSON, without the closing brace: made once for everybody. */
  readonly text: string
}

/** A credential of one tenant sees what concerns it and what concerns everybody. */
export function isVisible(row: FeedRow, tenant: string | null): boolean {
  return tenant === null || row.tenant === null || row.tenant === tenant
}

export function rowText({ seq, epoch, kind, key, effect, at, dropAfter }: FeedRow): string {
  return JSON.stringify({ seq, epoch, kind, key, effect, at, drop_after: dropAfter })
}

/** The snapshot says its epoch once. */
export function snapshotRowText({ seq, kind, key, effect, at, dropAfter }: FeedRow): string {
  return JSON.stringify({ seq, kind, key, effect, at, drop_after: dropAfter })
}

/** Some rows on their way to many readers: each audience's bytes are made once and shared by its connections. */
export class RowBatch {
  readonly #rows: readonly FeedRow[]
  readonly #texts = new Map<number, string>()
  readonly #events = new Map<string | null, Buffer | undefined>()

  constructor(rows: readonly FeedRow[]) {
    this.#rows = rows
  }

  /** The JSON of each row that the tenant may see; null sees all. */
  texts(tenant: string | null): string[] {
    return this.#rows.filter((row) => isVisible(row, tenant)).map((row) => this.#text(row))
  }

  /** The same as server-sent events; undefined when there is none. */
  events(tenant: string | null): Buffer | undefined {
    if (this.#events.has(tenant)) return this.#events.get(tenant)
    const visible = this.#rows.filter((row) => isVisible(row, tenant))
    const text = visible.map((row) => `event: row\nid: ${row.seq}\ndata: ${this.#text(row)}\n\n`).join('')
    const bytes = text === '' ? undefined : Buffer.from(text)
    this.#events.set(tenant, bytes)
    return bytes
  }

  #text(row: FeedRow): string {
    const known = this.#texts.get(row.seq)
    if (known !== undefined) return known
    const text = rowText(row)
    this.#texts.set(row.seq, text)
    return text
  }
}

export function beatOf(beat: Omit<Beat, 'text'>): Beat {
  const { epoch, head, now, ageMs } = beat
  return { ...beat, text: JSON.stringify({ epoch, head, now, age_ms: ageMs }).slice(0, -1) }
}

export function eventText(event: string, data: string): string {
  return `event: ${event}\ndata: ${data}\n\n`
}
