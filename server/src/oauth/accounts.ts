/** Users as the engine sees them: who may still be given a token, and what an ID token says of them. */
import type { Account, KoaContextWithOIDC } from 'oidc-provider'
import type { GrantMembers } from './access-token.ts'
import type { People } from './people.ts'

/**
 * Undefined refuses the request. Asked at each authorization and each token request, so a user who was disabled, left the
 * tenant, or whose session ended gets nothing more: a refresh token alone does not keep anybody alive.
 */
export async function findAccount(
  people: People,
  ctx: KoaContextWithOIDC,
  id: string,
): Promise<Account | undefined> {
  const user = await people.findUser(id)
  if (!user || user.disabledAtMs !== null) return undefined
  const grant = ctx.oidc.entities.Grant as unknown as GrantMembers | undefined
  if (grant?.tenant !== undefined) {
    const member = (await people.tenantsOf(id)).find(({ tenantId }) => tenantId === grant.tenant)
    if (!member || member.tenantDisabled) return undefined
  }
  if (grant?.session !== undefined && !(await people.findSession(grant.session))) return undefined
  return {
    accountId: id,
    claims: async () => ({
      sub: id,
      ...(user.name !== '' && { name: user.name }),
      ...(user.username !== null && { preferred_username: user.username }),
      ...(user.email !== null && { email: user.email, email_verified: user.emailVerifiedAtMs !== null }),
    }),
  }
}
