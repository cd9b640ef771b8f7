/** Time, passed in: a test sets it, and a clock jump is a value instead of an accident. */
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
