/** A token bucket: how often the server may be asked, so that a flood of made-up credentials stops here. */
import type { Clock } from './clock.ts'

export class Budget {
  readonly #perSecond: number
  readonly #burst: number
  readonly #clock: Clock
  #tokens: number
  #filledAtMs: number

  constructor(perSecond: number, burst: number, clock: Clock) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#clock = clock
    this.#tokens = burst
    this.#filledAtMs = clock.monotonicMs()
  }

  /** Takes one, if there is one. */
  take(): boolean {
    const now = this.#clock.monotonicMs()
    const earned = ((now - this.#filledAtMs) / 1000) * this.#perSecond
    this.#tokens = Math.min(this.#burst, this.#tokens + earned)
    this.#filledAtMs = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
