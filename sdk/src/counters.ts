/** What a verifier has counted since it was made: for `status()` and whatever collects it. */
import type { DenialCode } from './denial.ts'
import type { Result } from './principal.ts'

export class Counters {
  hits = 0
  misses = 0
  asked = 0
  readonly denials: { [code in DenialCode]?: number } = {}

  /** Counts a refusal, and hands the result on. */
  note(result: Result): Result {
    if (!result.valid) this.denials[result.code] = (this.denials[result.code] ?? 0) + 1
    return result
  }
}
