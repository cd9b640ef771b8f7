/**
 * What is noted in memory and written in batches: one flush at a time, every so often and once more at the end. Nobody
 * waits for it, and a crash loses what was noted since the last one.
 */
export class RegularFlush {
  readonly #write: () => Promise<void>
  readonly #everyMs: number
  #timer: NodeJS.Timeout | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(write: () => Promise<void>, everyMs: number) {
    this.#write = write
    this.#everyMs = everyMs
  }

  start(): void {
    this.#timer = setInterval(() => void this.now().catch(() => {}), this.#everyMs).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.now().catch(() => {})
  }

  /** After the flush under way, if there is one, so that what was noted before this call is written. */
  now(): Promise<void> {
    this.#last = this.#last.catch(() => {}).then(this.#write)
    return this.#last
  }
}

/** `write` for at most `size` at a time, one after another. */
export async function inBatches<T>(
  items: readonly T[],
  size: number,
  write: (batch: readonly T[]) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < items.length; at += size) await write(items.slice(at, at + size))
}
