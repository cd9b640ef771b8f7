/** What the OAuth server asks of identity: who is signed in, who somebody is, and of which tenants a member. */

export interface Person {
  readonly id: string
  readonly username: string | null
  readonly email: string | null
  readonly emailVerifiedAtMs: number | null
  readonly name: string
  readonly disabledAtMs: number | null
}

/** A sign-in of one browser that is still good. */
export interface LiveSession {
  readonly id: string
  readonly userId: string
  readonly authTimeMs: number
  readonly acr: string
  readonly amr: readonly string[]
}

export interface TenantMembership {
  readonly tenantId: string
  readonly tenantName: string
  readonly tenantDisabled: boolean
  readonly roles: readonly string[]
}

export interface BrowserHeaders {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly ip: string
}

export interface People {
  /** Undefined when nobody is signed in, or the session is over, or its user is disabled. */
  currentSession(request: BrowserHeaders): Promise<{ session: LiveSession; user: Person } | undefined>
  /** Ends the session of this browser, if there is one. */
  signOut(request: BrowserHeaders): Promise<void>
  /** Undefined when it is over, ended, or under a newer floor. */
  findSession(id: string): Promise<LiveSession | undefined>
  findUser(id: string): Promise<Person | undefined>
  tenantsOf(userId: string): Promise<readonly TenantMembership[]>
  /** One of them, whatever their number. */
  membershipOf(userId: string, tenantId: string): Promise<TenantMembership | undefined>
  /** What roles allow in a resource. */
  scopesOfRoles(roles: readonly string[], resourceId: string): Promise<ReadonlySet<string>>
}

/** Nobody: for a deployment without users. */
export const NO_PEOPLE: People = {
  currentSession: async () => undefined,
  signOut: async () => {},
  findSession: async () => undefined,
  findUser: async () => undefined,
  tenantsOf: async () => [],
  membershipOf: async () => undefined,
  scopesOfRoles: async () => new Set(),
}
