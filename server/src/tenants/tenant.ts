/** A customer organization whose data is kept apart. */

export interface Tenant {
  readonly id: string
  readonly name: string
  /** The API team's own id for this customer; unique among living tenants. */
  readonly externalId: string | null
  readonly metadata: Readonly<Record<string, unknown>>
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly disabledAtMs: number | null
}

export const DEFAULT_TENANT_NAME = 'default'
