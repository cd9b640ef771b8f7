/** A Principal in the shape in which the MCP SDKs hand it to tools. */
import type { CredentialRequest, NodeRequest } from '../presented.ts'
import type { Principal } from '../principal.ts'
import type { ProtectedResource } from '../protected-resource.ts'

/** `AuthInfo` of both MCP SDKs. */
export interface AuthInfo {
  token: string
  clientId: string
  scopes: string[]
  /** Unix seconds. */
  expiresAt?: number
  resource: URL
  /** Where challenges point that the MCP SDK makes itself. */
  resourceMetadataUrl: string
  extra: { principal: Principal }
}

export function authInfoOf(
  request: CredentialRequest,
  principal: Principal,
  { resource, metadataUrl }: ProtectedResource,
): AuthInfo {
  return {
    token: tokenOf(request),
    // A key has no client; what tells its holders apart is the key.
    clientId: principal.clientId ?? principal.credential.id,
    scopes: [...principal.scopes],
    ...(principal.expiresAtMs !== undefined && { expiresAt: Math.floor(principal.expiresAtMs / 1000) }),
    resource: new URL(resource),
    resourceMetadataUrl: metadataUrl,
    extra: { principal },
  }
}

/** The type asks for it. Tools should not pass it on: it is good for this server alone. */
function tokenOf({ headers }: CredentialRequest): string {
  const header = (name: string): string | undefined => {
    if (typeof headers.get === 'function') return headers.get(name) ?? undefined
    const value = (headers as NodeRequest['headers'])[name]
    return typeof value === 'string' ? value : undefined
  }
  const authorization = header('authorization')?.trim()
  if (authorization === undefined) return header('x-api-key')?.trim() ?? ''
  return authorization.slice(authorization.indexOf(' ') + 1).trim()
}
