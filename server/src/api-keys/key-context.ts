/** What every operation on keys works with. */
import type { Changes } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import type { Peppers } from './peppers.ts'

export interface KeyContext {
  readonly changes: Changes
  readonly peppers: Peppers
  /** What else a key's successor takes over, in the rotation's transaction. */
  readonly onRotated?: (tx: Transaction, fromKeyId: string, toKeyId: string) => Promise<void>
}
