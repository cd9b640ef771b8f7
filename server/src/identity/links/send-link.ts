/**
 * Sends a link, if there is somebody to send it to. Runs after the answer. A link begins with the configured issuer,
 * whatever host the request named, and is for the browser that asked.
 */
import type { IdentityContext } from '../identity-context.ts'
import { noteSignIn } from '../sign-in-outcome.ts'
import { issueTicket } from '../tickets/tickets.ts'
import { emailKey } from '../user-names.ts'
import { selectByIdentifier } from '../user-store.ts'
import { alreadySignedUp, LINK_TEXTS } from './link-texts.ts'

export type LinkKind = keyof typeof LINK_TEXTS

export const LINK_LIFETIME_MS = 15 * 60_000

export interface LinkRequest {
  readonly kind: LinkKind
  /** As it was typed, and an e-mail address. */
  readonly email: string
  readonly binding: string
  readonly ip: string
  /** A path of ours where the browser goes on. */
  readonly place: string
}

export async function sendLink(
  identity: IdentityContext,
  { kind, email, binding, ip, place }: LinkRequest,
): Promise<void> {
  const { storage, changes, post, issuer } = identity
  const key = emailKey(email)
  if (!post || key === undefined) return
  const user = (await selectByIdentifier(storage, { kind: 'email', key }))?.user
  const here = new URL(issuer).host

  if (kind === 'sign_up' ? user !== undefined : !user || user.disabledAtMs !== null) {
    noteSignIn(identity, ip, kind === 'sign_up' ? 'known_user' : 'unknown_user', user?.id)
    if (!user || user.disabledAtMs !== null) return
    const { subject, text } = alreadySignedUp({ link: `${issuer}/sign-in`, here })
    await storage.write((tx) => post.put(tx, { to: user.email ?? email, subject, text }))
  } else {
    await storage.write(async (tx) => {
      const secret = await issueTicket(tx, changes.clock, kind, {
        binding,
        userId: user?.id ?? null,
        data: { email: user?.email ?? email, place },
        lifetimeMs: LINK_LIFETIME_MS,
      })
      const { subject, text } = LINK_TEXTS[kind]({ link: `${issuer}/link/${kind}/${secret}`, here })
      // To the address that the account has, not to another spelling of it.
      await post.put(tx, { to: user?.email ?? email, subject, text })
    })
    noteSignIn(identity, ip, 'link_sent', user?.id)
  }
  await post.flush()
}
