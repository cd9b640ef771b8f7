/** Who asks for an operation, and how far they reach. Every operation of a domain takes one. */
import { PosternError } from './errors.ts'
import { DEPLOYMENT_TENANT } from './ids.ts'
import { missingScopes } from './scope.ts'

/** Whom the audit and the feed name: a caller of the management API, or a person who acts for themselves. */
export interface ChangeMaker {
  readonly type: 'operator' | 'system' | 'user' | 'key'
  /** The operator's credential id, `system`, the user's id, or that of a key that acts on itself. */
  readonly id: string
  /** The address, coarse, for the audit. */
  readonly network?: string
}

export interface Caller extends ChangeMaker {
  readonly type: 'operator' | 'system' | 'key'
  /** The tenant this caller is confined to; null reaches the whole deployment. */
  readonly tenant: string | null
  readonly scopes: readonly string[]
  /** The resource ids this caller is confined to; null: all. */
  readonly resources: readonly string[] | null
}

/** Upkeep and the command line on the data folder act as this. */
export function systemCaller(scopes: readonly string[]): Caller {
  return { type: 'system', id: 'system', tenant: null, scopes, resources: null }
}

export function reachesTenant(caller: Pick<Caller, 'tenant'>, tenant: string): boolean {
  return caller.tenant === null || caller.tenant === tenant
}

export function reachesResource(caller: Pick<Caller, 'resources'>, resource: string): boolean {
  return caller.resources === null || caller.resources.includes(resource)
}

/** The tenant an operator's own credential belongs to in storage. */
export function tenantOf(caller: Caller): string {
  return caller.tenant ?? DEPLOYMENT_TENANT
}

export function requireDeployment(caller: Caller, what: string): void {
  if (caller.tenant !== null) throw new PosternError('forbidden', `${what} needs a deployment operator.`)
}

/** Nobody grants more than they hold. */
export function requireHeld(caller: Caller, scopes: readonly string[]): void {
  const missing = missingScopes(caller.scopes, scopes)
  if (missing.length > 0)
    throw new PosternError('forbidden', `You cannot grant what you do not hold: ${missing.join(' ')}.`)
}
