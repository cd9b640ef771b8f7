/** A clock that stands still until a test moves it, with the timers that wait for it. */
import type { Clock } from '../clock.ts'

interface Timer {
  readonly atMs: number
  readonly act: () => void
}

export class TestClock implements Clock {
  #wallMs: number
  #elapsedMs = 1_000
  readonly #timers = new Set<Timer>()

  constructor(startMs = Date.now()) {
    this.#wallMs = startMs
  }

  nowMs(): number {
    return Math.floor(this.#wallMs)
  }

  monotonicMs(): number {
    return this.#elapsedMs
  }

  after(ms: number, act: () => void): () => void {
    const timer = { atMs: this.#elapsedMs + ms, act }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Lets time pass, and everything happen that was waiting for it. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#elapsedMs + ms
    await settle()
    for (let next = this.#next(endMs); next; next = this.#next(endMs)) {
      this.#pass(Math.max(0, next.atMs - this.#elapsedMs))
      this.#timers.delete(next)
      next.act()
      await settle()
    }
    this.#pass(endMs - this.#elapsedMs)
    await settle()
  }

  /** The machine sleeps: time passes, and whatever waited for it happens on waking. */
  async sleep(ms: number): Promise<void> {
    this.#pass(ms)
    await this.advance(0)
  }

  /** Sets the wall clock forward or back, as an operator does: no time passes. */
  jump(ms: number): void {
    this.#wallMs += ms
  }

  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers)
      if (timer.atMs <= untilMs && (!first || timer.atMs < first.atMs)) first = timer
    return first
  }

  #pass(ms: number): void {
    this.#elapsedMs += ms
    this.#wallMs += ms
  }
}

/** Until what was begun has come to where it waits. */
export async function settle(): Promise<void> {
  const { setImmediate: soon = (act: () => void) => setTimeout(act, 0) } = globalThis
  for (let turn = 0; turn < 4; turn++) await new Promise<void>((resolve) => void soon(resolve))
}
