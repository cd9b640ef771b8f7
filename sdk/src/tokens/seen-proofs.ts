/**
 * DPoP proofs that this process has accepted, for as long as each could be presented again (RFC 9449, section 11.1).
 * Another process, and this one after a restart, knows nothing of them: a stolen proof, which is good for one token, one
 * method and one URL, can be used once more at each, within its minute.
 *
 * When it is full, the answer is that nothing can be said: forgetting one that still counts would let it be replayed.
 */

/** About 1,600 proofs a second, some 15 MB. */
const MOST_PROOFS = 100_000
/** Proofs are forgotten by the slot in which they end, so nothing is searched. */
const SLOT_MS = 10_000

export class SeenProofs {
  readonly #most: number
  readonly #slots = new Map<number, Set<string>>()
  #count = 0
  #currentSlot = Number.NEGATIVE_INFINITY
  #forgottenMs = Number.NEGATIVE_INFINITY

  constructor(most = MOST_PROOFS) {
    this.#most = most
  }

  /** Remembers it when it is `new`. */
  note({ id, endsAtMs }: { id: string; endsAtMs: number }, nowMs: number): 'new' | 'seen' | 'full' {
    this.#forgetBefore(nowMs)
    // The clock was set back: what ended before is no longer known, so it is not believed to be new.
    if (endsAtMs <= this.#forgottenMs) return 'seen'
    const slot = Math.ceil(endsAtMs / SLOT_MS)
    const proofs = this.#slots.get(slot) ?? new Set()
    if (proofs.has(id)) return 'seen'
    if (this.#count >= this.#most) return 'full'
    this.#slots.set(slot, proofs.add(id))
    this.#count++
    return 'new'
  }

  #forgetBefore(nowMs: number): void {
    const current = Math.ceil(nowMs / SLOT_MS)
    if (current === this.#currentSlot) return
    this.#currentSlot = current
    for (const [slot, proofs] of this.#slots) {
      if (slot >= current) continue
      this.#slots.delete(slot)
      this.#count -= proofs.size
      this.#forgottenMs = Math.max(this.#forgottenMs, slot * SLOT_MS)
    }
  }
}
