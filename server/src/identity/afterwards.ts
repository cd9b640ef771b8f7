/**
 * Work after the answer: what depends on whether somebody exists is done when nobody waits for it any more, so that no
 * clock tells. Bounded; beyond it a job is dropped, and the person asks again.
 */
const MOST = 1_000

export class Afterwards {
  readonly #running = new Set<Promise<void>>()

  /** Never throws; a failing job is its own business to report. */
  run(job: () => Promise<unknown>): void {
    if (this.#running.size >= MOST) return
    const running = Promise.resolve()
      .then(job)
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** When all that was begun has ended. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}
