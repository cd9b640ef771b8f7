/** What may be revoked, and which scope of the management API that asks for. */
import { type Caller, invalid, PosternError } from '../kernel/index.ts'

export const TARGET_KINDS = [
  'token',
  'api_key',
  'session',
  'grant',
  'subject',
  'client',
  'tenant',
  'actor',
  'proof_key',
  'signing_key',
] as const
export type TargetKind = (typeof TARGET_KINDS)[number]

export interface Target {
  readonly kind: TargetKind
  /** Its id; of a token its `jti`, of a key its thumbprint, of a subject or actor whoever it is. */
  readonly id?: string | undefined
  /** A token as it was presented, instead of its id. It is neither kept nor logged. */
  readonly token?: string | undefined
  /** Where an external subject or actor has its name. */
  readonly tenant?: string | undefined
}

/** Whoever may not change such a thing by itself may not end it here. */
export function scopeFor({ kind, id = '' }: Target): string {
  switch (kind) {
    case 'api_key':
      return 'keys:write'
    case 'session':
      return 'users:write'
    case 'subject':
      return id.startsWith('usr_') ? 'users:write' : 'keys:write'
    case 'tenant':
      return 'tenants:write'
    case 'signing_key':
      return 'deployment:write'
    default:
      return 'clients:write'
  }
}

export const REVOKING_SCOPES = [
  'keys:write',
  'users:write',
  'clients:write',
  'tenants:write',
  'deployment:write',
]

/** Throws for a caller who may not, and for what names nothing or two things. `pointer` leads to the target. */
export function checkTarget(caller: Caller, target: Target, pointer: string): void {
  const { kind, id, token, tenant } = target
  if ((id === undefined) === (token === undefined))
    throw invalid(
      pointer,
      kind === 'token' ? 'Give `id` (the jti) or `token`, one of them.' : 'Give its `id`.',
    )
  if (token !== undefined && kind !== 'token')
    throw invalid(`${pointer}/token`, 'Only a token is given as such.')
  if (tenant !== undefined && !isNamedInTenant(target))
    throw invalid(`${pointer}/tenant`, 'Only the name of an external subject or actor needs its tenant.')
  if (kind === 'subject' && id?.startsWith('cli_'))
    throw invalid(`${pointer}/kind`, 'Revoke a client as `client`.')
  const scope = scopeFor(target)
  if (!caller.scopes.includes(scope))
    throw new PosternError('forbidden', `Revoking this kind needs the scope ${scope}.`)
  // A level reaches every API: whoever is confined to some of them ends keys and tokens of those, one by one.
  if (caller.resources !== null && kind !== 'api_key' && token === undefined)
    throw new PosternError(
      'forbidden',
      'Revoking this kind needs an operator that is not confined to some APIs.',
    )
}

/** An external name means something inside its tenant alone. */
export function isNamedInTenant({ kind, id = '' }: Target): boolean {
  return (kind === 'subject' || kind === 'actor') && !/^(usr|cli)_/.test(id)
}
