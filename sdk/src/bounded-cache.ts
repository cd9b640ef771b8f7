/**
 * A bounded map that drops what was not used lately: each entry gets a second chance (the CLOCK algorithm), which
 * keeps nearly what LRU keeps while a hit only sets a flag. Moving an entry on every hit would cost as much as the
 * look-up itself.
 */

interface Slot<Value> {
  readonly value: Value
  used: boolean
}

/** Slots looked at for one eviction; after these the oldest goes, used or not. */
const MAX_CHANCES = 32

export class BoundedCache<Value> {
  readonly #slots = new Map<string, Slot<Value>>()
  readonly #capacity: number

  /** `capacity` 0 keeps nothing. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#slots.size
  }

  get(key: string): Value | undefined {
    const slot = this.#slots.get(key)
    if (!slot) return undefined
    slot.used = true
    return slot.value
  }

  set(key: string, value: Value): void {
    this.#slots.delete(key)
    while (this.#slots.size >= this.#capacity && this.#slots.size > 0) this.#evictOne()
    if (this.#capacity > 0) this.#slots.set(key, { value, used: false })
  }

  delete(key: string): void {
    this.#slots.delete(key)
  }

  clear(): void {
    this.#slots.clear()
  }

  #evictOne(): void {
    let chances = 0
    for (const [key, slot] of this.#slots) {
      this.#slots.delete(key)
      if (!slot.used || ++chances > MAX_CHANCES) return
      slot.used = false
      this.#slots.set(key, slot)
    }
  }
}
