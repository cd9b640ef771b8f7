/** What every operation on keys works with. */
import type { Changes } from '../revocation/index.ts'
import type { Peppers } from './peppers.ts'

export interface KeyContext {
  readonly changes: Changes
  readonly peppers: Peppers
}
