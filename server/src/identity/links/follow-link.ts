/** What a link does once its page was confirmed: the operations, each of which takes the ticket in its transaction. */
import { type ChangeMaker, systemCaller } from '../../kernel/index.ts'
import { readFeedHead } from '../../revocation/index.ts'
import type { Transaction } from '../../storage/index.ts'
import { ACR_ONE_FACTOR } from '../acr.ts'
import { setMembership } from '../change-memberships.ts'
import { createUser, userChange } from '../change-users.ts'
import { afterFirstFactor } from '../first-factor.ts'
import type { IdentityContext } from '../identity-context.ts'
import type { Visit } from '../open-session.ts'
import { hashedPassword, putPassword } from '../set-password.ts'
import { noteSignIn, OVER, type SignInOutcome } from '../sign-in-outcome.ts'
import { findTicket, type Presented, takeTicket, type Ticket } from '../tickets/tickets.ts'
import { keysOf } from '../user-names.ts'
import { lockUser, saveUser, selectUser } from '../user-store.ts'
import type { User } from '../user.ts'

/** A sign-in with one factor: a user with a second one is asked for it. */
export async function followSignInLink(
  identity: IdentityContext,
  presented: Presented,
  visit: Visit,
): Promise<SignInOutcome> {
  const { storage, changes } = identity
  const { seq: rsn } = await readFeedHead(storage.read())
  const done = await storage.write(async (tx) => {
    const user = await ownerOf(tx, identity, await takeTicket(tx, changes.clock, 'sign_in_link', presented))
    if (!user) return undefined
    const proof = { userId: user.id, rsn, acr: ACR_ONE_FACTOR, amr: ['email'] }
    const opened = await afterFirstFactor(tx, identity, proof, { ...visit, binding: presented.binding })
    return { user, opened }
  })
  if (!done) return OVER
  const { user, opened } = done
  if ('ticket' in opened) return { signedIn: false, refusal: 'second_factor', ticket: opened.ticket }
  noteSignIn(identity, visit.ip, 'signed_in', user.id)
  return { signedIn: true, user, ...opened }
}

/**
 * A new password. All sessions end, and nobody is signed in: the next sign-in asks for whatever the account asks for.
 * False: the link is over. Throws `invalid_request` for a password that is not taken, with the link still good.
 */
export async function followReset(
  identity: IdentityContext,
  presented: Presented,
  password: string,
  network: string,
): Promise<boolean> {
  const { storage, changes } = identity
  const ticket = await findTicket(storage, changes.clock, 'reset', presented)
  const owner = ticket?.userId && (await selectUser(storage, ticket.userId))
  if (!owner) return false
  const hashed = await hashedPassword(identity, owner, password)
  return storage.write(async (tx) => {
    const user = await ownerOf(tx, identity, await takeTicket(tx, changes.clock, 'reset', presented))
    if (!user) return false
    await putPassword(tx, user.id, hashed, changes.clock.nowMs())
    changes.record(
      tx,
      { type: 'user', id: user.id, network },
      {
        ...userChange(user.id, 'user.password_recovered'),
        feed: { kind: 'subject', key: user.id, effect: 'revoked', reason: 'password reset' },
      },
    )
    return true
  })
}

/** The address is its owner's. False: the link is over, or the address was changed since. */
export function followVerification(identity: IdentityContext, presented: Presented): Promise<boolean> {
  const { storage, changes } = identity
  return storage.write(
    async (tx) =>
      (await ownerOf(tx, identity, await takeTicket(tx, changes.clock, 'verify_email', presented))) !==
      undefined,
  )
}

/**
 * A new account, whose address its owner has shown to read; signed in at once. Undefined: the link is over. Throws
 * `invalid_request` for a password that is not taken, `conflict` when the address has got an account meanwhile.
 */
export async function followSignUp(
  identity: IdentityContext,
  presented: Presented,
  { name, password }: { readonly name: string; readonly password: string | undefined },
  visit: Visit,
): Promise<SignInOutcome> {
  const { storage, changes, signUp } = identity
  const before = await findTicket(storage, changes.clock, 'sign_up', presented)
  if (!before || !signUp.open) return OVER
  const email = String(before.data['email'])
  const nobody = { id: '', name, username: null, email }
  const hashed = password === undefined ? undefined : await hashedPassword(identity, nobody, password)
  const { seq: rsn } = await readFeedHead(storage.read())
  const done = await storage.write(async (tx) => {
    if (!(await takeTicket(tx, changes.clock, 'sign_up', presented))) return undefined
    const by = systemCaller([])
    const user = await createUser(tx, changes, by, { email, emailVerified: true, name })
    if (signUp.tenant !== undefined)
      await setMembership(tx, changes, by, { userId: user.id, tenantId: signUp.tenant, roles: [] })
    if (hashed) {
      await putPassword(tx, user.id, hashed, changes.clock.nowMs())
      changes.record(tx, by, { ...userChange(user.id, 'user.password_changed'), feed: null })
    }
    const proof = { userId: user.id, rsn, acr: ACR_ONE_FACTOR, amr: ['email'] }
    const opened = await afterFirstFactor(tx, identity, proof, { ...visit, binding: presented.binding })
    return { user, opened }
  })
  if (!done || 'ticket' in done.opened) return OVER
  noteSignIn(identity, visit.ip, 'signed_up', done.user.id)
  return { signedIn: true, user: done.user, ...done.opened }
}

/**
 * Whose link it is, if the account is open and still has the address that it was sent to. That somebody followed it
 * shows that they read what is sent there.
 */
async function ownerOf(
  tx: Transaction,
  { changes }: IdentityContext,
  ticket: Ticket | undefined,
): Promise<User | undefined> {
  const user = ticket?.userId ? await lockUser(tx, ticket.userId, 'update') : undefined
  if (!user || user.disabledAtMs !== null || user.email !== ticket?.data['email']) return undefined
  if (user.emailVerifiedAtMs !== null) return user
  const nowMs = changes.clock.nowMs()
  await saveUser(tx, { ...user, emailVerifiedAtMs: nowMs, updatedAtMs: nowMs }, keysOf(user))
  const by: ChangeMaker = { type: 'user', id: user.id }
  changes.record(tx, by, { ...userChange(user.id, 'user.email_verified'), feed: null })
  return user
}
