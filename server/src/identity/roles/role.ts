/** A named set of scopes per resource, which members of tenants hold. See decisions/021-roles-belong-to-the-deployment.md. */

export interface Role {
  readonly name: string
  /** For people. */
  readonly description: string
  /** By the id of the resource. */
  readonly scopes: Readonly<Record<string, readonly string[]>>
  readonly createdAtMs: number
  readonly updatedAtMs: number
}
