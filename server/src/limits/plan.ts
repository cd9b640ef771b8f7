/** A plan: a named set of limits, given to keys, owners, clients and tenants. It belongs to the deployment. */
import type { Limit } from './limit.ts'

export interface Plan {
  readonly id: string
  /** Unique: it is what a Principal carries. */
  readonly name: string
  readonly limits: readonly Limit[]
  readonly createdAtMs: number
  readonly updatedAtMs: number
}
