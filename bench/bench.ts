/** What a benchmark is. */
import type { Line } from './measure.ts'

export interface Bench {
  readonly name: string
  /** One sentence for the table's head. */
  readonly about: string
  /** Takes too long for a run of all of them. */
  readonly onlyNamed?: boolean
  run(options: BenchOptions): Promise<Line[]>
}

export interface BenchOptions {
  /** Fewer and shorter rounds: a minute for everything, and noisier. */
  readonly quick: boolean
}
