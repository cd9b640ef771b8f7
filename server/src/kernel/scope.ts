/** Scope tokens and sets (RFC 6749, section 3.3), and the scopes of the management API. */

/** One scope token: printable ASCII without space, quote and backslash; at most 128 characters. */
export const SCOPE_PATTERN = '^[\\x21\\x23-\\x5B\\x5D-\\x7E]{1,128}$'
const SCOPE = new RegExp(SCOPE_PATTERN)

export function isScope(text: string): boolean {
  return SCOPE.test(text)
}

/** The members of `wanted` that `held` lacks, in order. Empty means: enough. */
export function missingScopes(held: readonly string[], wanted: readonly string[]): string[] {
  return wanted.filter((scope) => !held.includes(scope))
}

/** Scopes of the management resource. What each one opens is its description, shown to operators. */
export const MANAGEMENT_SCOPES = [
  { name: 'verify', description: 'Ask whether a credential is valid' },
  { name: 'tenants:read', description: 'Read tenants' },
  { name: 'tenants:write', description: 'Create, change and delete tenants' },
  { name: 'resources:read', description: 'Read resources (APIs) and their scopes' },
  { name: 'resources:write', description: 'Create, change and delete resources (APIs)' },
  { name: 'keys:read', description: 'Read API keys, never their secrets' },
  { name: 'keys:write', description: 'Issue, change, rotate, revoke and import API keys' },
  { name: 'clients:read', description: 'Read OAuth clients, never their secrets' },
  { name: 'clients:write', description: 'Register, change and delete OAuth clients and their secrets' },
  { name: 'users:read', description: 'Read users, their memberships and their sessions' },
  {
    name: 'users:write',
    description: 'Create, change, disable and delete users, set passwords, end sessions, change memberships',
  },
  { name: 'limits:read', description: 'Read plans and limits' },
  { name: 'limits:write', description: 'Change plans, and give plans and limits to what one reaches' },
  { name: 'usage:read', description: 'Read what credentials were used for' },
  { name: 'operators:read', description: 'Read operators' },
  { name: 'operators:write', description: 'Create and revoke operators, never with more than one holds' },
  { name: 'webhooks:read', description: 'Read webhooks and their deliveries, never their secrets' },
  { name: 'webhooks:write', description: 'Register, change, replay and delete webhooks and their secrets' },
  { name: 'audit:read', description: 'Read the audit log and the activity log' },
  { name: 'deployment:write', description: 'Rotate the pepper and other deployment-wide upkeep' },
] as const
