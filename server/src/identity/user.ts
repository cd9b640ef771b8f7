/** A person. Belongs to the deployment and is a member of tenants. */

export interface User {
  readonly id: string
  /** As it was written; compared by `usernameKey`. A user has a username, an e-mail address, or both. */
  readonly username: string | null
  readonly email: string | null
  /** When it was last shown that the person reads what is sent there; null: nobody has. */
  readonly emailVerifiedAtMs: number | null
  /** For people: what pages call the user. */
  readonly name: string
  readonly metadata: Readonly<Record<string, unknown>>
  /** When the password was last set; null: there is none. The hash itself stays in the store. */
  readonly passwordSetAtMs: number | null
  /** It has fewer than 15 characters, and needs a second factor beside it. */
  readonly passwordShort: boolean
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly disabledAtMs: number | null
}

export interface Membership {
  readonly userId: string
  readonly tenantId: string
  readonly tenantName: string
  readonly tenantDisabled: boolean
  readonly roles: readonly string[]
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

/** What a page calls somebody: never empty. */
export function displayName({ name, username, email }: Pick<User, 'name' | 'username' | 'email'>): string {
  return name || username || email || 'unnamed'
}

/** What tells the account from others of the same name. */
export function accountName({ email, username, name }: Pick<User, 'name' | 'username' | 'email'>): string {
  return email ?? username ?? name
}
