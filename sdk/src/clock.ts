/** Time, passed in: a test sets it, and a clock jump is a value instead of an accident. */
export interface Clock {
  /** Unix time in milliseconds. May jump; never measure a duration with it. */
  nowMs(): number
  /** Milliseconds since an arbitrary point. Never goes back, and counts the time that a machine slept. */
  monotonicMs(): number
  /** Calls `act` later, and answers what calls it off. A process stays alive for it only where somebody waits. */
  after(ms: number, act: () => void, awaited?: 'awaited'): () => void
}

/** A wall clock that gains this much on the monotonic one in a single step: the machine slept, or its clock was set. */
const SLEPT_MS = 1000
/** To read both clocks takes twice as long, on every request: for so long the wall clock alone says what has passed. */
const LOOK_MS = 50
/** And for so many readings: a wall clock that stands still must not hold this one up. */
const MOST_UNSEEN = 50

/**
 * The monotonic clock of most systems stands still while the machine sleeps, and a service that wakes after an hour must
 * not believe that it heard from its server a second ago. So what the wall clock gains at once counts as time that
 * passed. A clock that was merely set forward makes everything look older than it is, which costs one question; a clock
 * that is set back changes nothing.
 */
export function steadyClock(wallMs: () => number, runningMs: () => number): () => number {
  let sleptMs = 0
  let wall = wallMs()
  let running = runningMs()
  let latest = running
  let left = MOST_UNSEEN
  return () => {
    const passedMs = wallMs() - wall
    if (passedMs >= 0 && passedMs < LOOK_MS && left-- > 0)
      return (latest = Math.max(latest, running + sleptMs + passedMs))
    left = MOST_UNSEEN
    const now = runningMs()
    const gainedMs = passedMs - (now - running)
    if (gainedMs > SLEPT_MS) sleptMs += gainedMs
    wall += passedMs
    running = now
    return (latest = Math.max(latest, running + sleptMs))
  }
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: steadyClock(
    () => Date.now(),
    () => performance.now(),
  ),
  after(ms, act, awaited) {
    const timer: unknown = setTimeout(act, ms)
    if (!awaited) unref(timer)
    return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0])
  },
}

/** Node and Bun have it on the timer, Deno beside it, others have nothing that a timer could keep alive. */
function unref(timer: unknown): void {
  const { Deno } = globalThis as { Deno?: { unrefTimer?(id: unknown): void } }
  if (typeof timer === 'number') Deno?.unrefTimer?.(timer)
  else (timer as { unref?(): void }).unref?.()
}
