/**
 * The engine remembers a sign-in in a session of its own. It counts only while the one it came from lives: whoever signs
 * out, or is signed out, or signs in as somebody else, is asked again.
 */
import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { evidence } from './evidence.ts'
import type { People } from './people.ts'

export function signInStillGood(people: People): interactionPolicy.Check {
  const { Check } = interactionPolicy
  return new Check('sign_in_over', 'End-User authentication is required', async (ctx: KoaContextWithOIDC) => {
    const accountId = ctx.oidc.session?.accountId
    if (accountId === undefined) return Check.NO_NEED_TO_PROMPT
    const live = await people.currentSession({ headers: ctx.req.headers, ip: evidence().ip })
    return live?.user.id === accountId ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT
  })
}
