/** Points in time as people type them: RFC 3339, a date, `now`, `in 30d`, `30d ago`. */
import { durationSeconds } from './duration.ts'

const DATE = /^\d{4}-\d{2}-\d{2}$/
/** RFC 3339, section 5.6; the offset must be there, so that the time means the same on every machine. */
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})$/

/** RFC 3339 in UTC. Throws an Error whose message says what is expected. */
export function parseTime(text: string, nowMs: number): string {
  const trimmed = text.trim()
  const ms = relativeMs(trimmed, nowMs) ?? absoluteMs(trimmed)
  if (ms === undefined || !(Math.abs(ms) < 8.64e15))
    throw new Error(
      durationSeconds(trimmed) === undefined
        ? 'Expected a time such as 2027-01-31T12:00:00Z, 2027-01-31, "in 30d" or "30d ago".'
        : `Say "${trimmed} ago" or "in ${trimmed}".`,
    )
  return new Date(ms).toISOString()
}

function relativeMs(text: string, nowMs: number): number | undefined {
  if (text === 'now') return nowMs
  const [, ahead, back] = /^(?:in\s+(\S+)|(\S+)\s+ago)$/.exec(text) ?? []
  const seconds = durationSeconds(ahead ?? back ?? '')
  if (seconds === undefined) return undefined
  return nowMs + (ahead === undefined ? -seconds : seconds) * 1_000
}

function absoluteMs(text: string): number | undefined {
  if (!DATE.test(text) && !DATE_TIME.test(text)) return undefined
  const ms = Date.parse(text.replace(' ', 'T'))
  if (Number.isNaN(ms)) return undefined
  // Date.parse turns the 31st of February into the 3rd of March.
  const day = text.slice(0, 10)
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day) ? ms : undefined
}

/** When a credential ends: a duration by the server's clock, a time, or never. */
export type Expiry = { expires_in_seconds: number } | { expires_at: string | null }

export function parseExpiry(text: string, nowMs: number): Expiry {
  const trimmed = text.trim()
  if (trimmed === 'never') return { expires_at: null }
  const seconds = durationSeconds(trimmed.replace(/^in\s+/, ''))
  if (seconds !== undefined) return { expires_in_seconds: seconds }
  return { expires_at: parseTime(trimmed, nowMs) }
}

/** For what takes a point in time only. */
export function endOf(expires: Expiry, nowMs: number): string | null {
  return 'expires_at' in expires
    ? expires.expires_at
    : new Date(nowMs + expires.expires_in_seconds * 1_000).toISOString()
}
