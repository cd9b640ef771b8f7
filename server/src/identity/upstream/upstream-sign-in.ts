/**
 * What comes of somebody who was elsewhere. An identity that is connected signs in. One that nobody has connected never
 * gets into an account by its e-mail address: whoever has that account signs in to it first and connects it there.
 */
import { systemCaller } from '../../kernel/index.ts'
import { readFeedHead } from '../../revocation/index.ts'
import { UniqueViolation } from '../../storage/index.ts'
import { ACR_ONE_FACTOR } from '../acr.ts'
import { setMembership } from '../change-memberships.ts'
import { createUser, userChange } from '../change-users.ts'
import { afterFirstFactor } from '../first-factor.ts'
import type { IdentityContext } from '../identity-context.ts'
import type { Visit } from '../open-session.ts'
import { noteSignIn, type SignInOutcome } from '../sign-in-outcome.ts'
import { emailKey } from '../user-names.ts'
import { lockUser, selectByIdentifier } from '../user-store.ts'
import type { Provider, UpstreamPerson } from './provider.ts'
import { insertConnection, useConnection } from './provider-store.ts'

export type UpstreamOutcome =
  | SignInOutcome
  /** `known_email`: an account has the address. `unverified`: nobody vouches for one. `closed`: strangers get none. */
  | { readonly signedIn: false; readonly refusal: 'known_email' | 'unverified' | 'closed' }

export async function signInFromUpstream(
  identity: IdentityContext,
  provider: Provider,
  person: UpstreamPerson,
  visit: Visit & { readonly binding: string },
): Promise<UpstreamOutcome> {
  const { storage, changes, signUp } = identity
  const { seq: rsn } = await readFeedHead(storage.read())
  const at = { providerId: provider.id, subject: person.subject }
  const known = await storage.write(async (tx) => {
    const nowMs = changes.clock.nowMs()
    const userId = await useConnection(tx, { ...at, nowMs })
    if (userId === undefined) return undefined
    const user = await lockUser(tx, userId, 'share')
    if (!user || user.disabledAtMs !== null) return 'disabled'
    const proof = { userId, rsn, acr: ACR_ONE_FACTOR, amr: ['fed'] }
    return { user, opened: await afterFirstFactor(tx, identity, proof, visit) }
  })
  if (known === 'disabled') {
    noteSignIn(identity, visit.ip, 'disabled')
    return { signedIn: false, refusal: 'wrong' }
  }
  if (known) {
    const { user, opened } = known
    if ('ticket' in opened) return { signedIn: false, refusal: 'second_factor', ticket: opened.ticket }
    noteSignIn(identity, visit.ip, 'signed_in', user.id)
    return { signedIn: true, user, ...opened }
  }

  const email = person.verifiedEmail
  const key = email === undefined ? undefined : emailKey(email)
  if (email === undefined || key === undefined) return refused('unverified')
  if (await selectByIdentifier(storage, { kind: 'email', key })) return refused('known_email')
  if (!signUp.open) return refused('closed')
  try {
    const made = await storage.write(async (tx) => {
      const by = systemCaller([])
      const user = await createUser(tx, changes, by, { email, emailVerified: true, name: person.name })
      if (signUp.tenant !== undefined)
        await setMembership(tx, changes, by, { userId: user.id, tenantId: signUp.tenant, roles: [] })
      const createdAtMs = changes.clock.nowMs()
      if (!(await insertConnection(tx, user.id, { ...at, email, createdAtMs, lastUsedAtMs: null })))
        throw new UniqueViolation('upstream_identities')
      changes.record(tx, by, {
        ...userChange(user.id, 'user.connected', { provider: provider.id }),
        feed: null,
      })
      const proof = { userId: user.id, rsn, acr: ACR_ONE_FACTOR, amr: ['fed'] }
      return { user, opened: await afterFirstFactor(tx, identity, proof, visit) }
    })
    if ('ticket' in made.opened) throw new Error('A new user has no second factor.')
    noteSignIn(identity, visit.ip, 'signed_up', made.user.id)
    return { signedIn: true, user: made.user, ...made.opened }
  } catch (error) {
    // Somebody was faster, in this very moment.
    if (error instanceof UniqueViolation || (error as { code?: string }).code === 'conflict')
      return refused('known_email')
    throw error
  }

  function refused(refusal: 'known_email' | 'unverified' | 'closed'): UpstreamOutcome {
    noteSignIn(identity, visit.ip, `upstream_${refusal}`)
    return { signedIn: false, refusal }
  }
}
