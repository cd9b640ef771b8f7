/** Tells the operator once: a failure that comes with every request must not fill the log with itself. */
import type { Clock } from './clock.ts'

const QUIET_MS = 10 * 60 * 1000
const MAX_REMEMBERED = 100

/** Passes each message on at most once in ten minutes. A sink that throws changes no answer. */
export function quietWarnings(sink: (message: string) => void, clock: Clock): (message: string) => void {
  const lastSaid = new Map<string, number>()
  return (message) => {
    const now = clock.monotonicMs()
    const said = lastSaid.get(message)
    if (said !== undefined && now - said < QUIET_MS) return
    if (lastSaid.size >= MAX_REMEMBERED) lastSaid.clear()
    lastSaid.set(message, now)
    try {
      sink(message)
    } catch {
      // A broken logger is not a reason to refuse callers.
    }
  }
}
