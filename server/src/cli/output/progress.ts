/** A progress bar on a terminal's stderr, for what takes longer than a second. Anywhere else it is silent. */
import type { CliIo } from '../io.ts'

const WAIT_MS = 1_000
const REDRAW_MS = 100
const BAR = 24

export class Progress {
  readonly #io: CliIo
  readonly #label: string
  readonly #show: (count: number) => string
  readonly #startedMs = performance.now()
  #drawnMs = 0

  constructor(
    io: CliIo,
    label: string,
    show: (count: number) => string = (count) => count.toLocaleString('en'),
  ) {
    this.#io = io
    this.#label = label
    this.#show = show
  }

  /** `done` of `total`; an unknown total shows the count alone. */
  update(done: number, total?: number): void {
    const now = performance.now()
    if (!this.#io.isTTY.stderr || now - this.#startedMs < WAIT_MS || now - this.#drawnMs < REDRAW_MS) return
    this.#drawnMs = now
    void this.#io.stderr.write(`\r\u001b[K${this.#line(done, total)}`).catch(() => {})
  }

  end(): void {
    if (this.#drawnMs > 0) void this.#io.stderr.write('\r\u001b[K').catch(() => {})
    this.#drawnMs = 0
  }

  #line(done: number, total: number | undefined): string {
    if (total === undefined || total <= 0) return `${this.#label} ${this.#show(done)}`
    const share = Math.min(1, done / total)
    const full = Math.round(share * BAR)
    const seconds = (performance.now() - this.#startedMs) / 1_000
    const left = share > 0 ? Math.ceil(seconds / share - seconds) : 0
    const bar = '█'.repeat(full) + '░'.repeat(BAR - full)
    return `${this.#label} ${bar} ${Math.floor(share * 100)}%  ${this.#show(done)} of ${this.#show(total)}, ${left} s left`
  }
}
