/**
 * What the feed touched lately: enough to say whether anything in (`after`, position] concerns a cached record. A
 * record is dropped on any touch and read again, so levels and floors are judged in one place, by the database.
 */
export class RecentTouches {
  readonly #most: number
  /** Ref → the last row that touched it, oldest touch first. */
  #touches = new Map<string, number>()
  /** Nothing at or below this is remembered. */
  #floor: number

  constructor(position: number, most = 200_000) {
    this.#floor = position
    this.#most = most
  }

  note(ref: string, seq: number): void {
    this.#touches.delete(ref)
    this.#touches.set(ref, seq)
    if (this.#touches.size > this.#most) this.#forgetOldest()
  }

  /** True when a row after `after` touched one of `refs`, or when that is no longer known. */
  touchedSince(after: number, refs: readonly string[]): boolean {
    if (after < this.#floor) return true
    for (const ref of refs) {
      const seq = this.#touches.get(ref)
      if (seq !== undefined && seq > after) return true
    }
    return false
  }

  /** Forgets everything, and says so to whoever asks about what is older than `position`. */
  reset(position: number): void {
    this.#touches.clear()
    this.#floor = position
  }

  #forgetOldest(): void {
    let left = this.#touches.size >> 1
    for (const [ref, seq] of this.#touches) {
      if (left-- === 0) return
      this.#touches.delete(ref)
      if (seq > this.#floor) this.#floor = seq
    }
  }
}
