/** Time, passed in everywhere: a test sets it, and a clock jump is a value instead of an accident. */
export interface Clock {
  /** Unix time in milliseconds. May jump; never measure a duration with it. */
  nowMs(): number
  /** Milliseconds since an arbitrary point. Never goes back. */
  monotonicMs(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

/** RFC 3339 in UTC, as the management API writes times. */
export function rfc3339(ms: number): string
export function rfc3339(ms: number | null): string | null
export function rfc3339(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
