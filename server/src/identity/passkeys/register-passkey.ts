/** Registering a passkey for whoever is signed in. No attestation is asked for: any authenticator that checks its person. */
import { generateRegistrationOptions, verifyRegistrationResponse } from '@simplewebauthn/server'
import { type ChangeMaker, newId, notFound } from '../../kernel/index.ts'
import { UniqueViolation } from '../../storage/index.ts'
import type { SignedIn } from '../current-session.ts'
import type { IdentityContext } from '../identity-context.ts'
import { accountName, displayName } from '../user.ts'
import { lockUser } from '../user-store.ts'
import { countPasskeys, insertPasskey, selectPasskeys } from './passkey-store.ts'
import { MOST_PASSKEYS, type Passkey, passkeyName } from './passkey.ts'
import { challengeIn, readResponse } from './read-response.ts'

/** What the page hands to the browser; undefined where there can be no passkeys. */
export async function registrationOptions(
  { storage, challenges, relyingParty }: IdentityContext,
  { session, user }: SignedIn,
  binding: string,
): Promise<object | undefined> {
  if (!relyingParty) return undefined
  const known = await selectPasskeys(storage, user.id)
  return generateRegistrationOptions({
    rpName: relyingParty.id,
    rpID: relyingParty.id,
    userName: accountName(user),
    userDisplayName: displayName(user),
    userID: new Uint8Array(Buffer.from(user.id)),
    challenge: new Uint8Array(Buffer.from(challenges.make(`register ${session.id}`, binding), 'base64url')),
    timeout: 300_000,
    attestationType: 'none',
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    excludeCredentials: known.map(({ credentialId, transports }) => ({
      id: credentialId,
      transports: [...transports],
    })),
  })
}

export type RegisterRefusal = 'not_proved' | 'known' | 'too_many'

/** The new passkey, or why it is not taken. */
export async function registerPasskey(
  identity: IdentityContext,
  { session, user }: SignedIn,
  { response: text, name, binding }: { response: string; name: string; binding: string },
  by: ChangeMaker,
): Promise<Passkey | RegisterRefusal> {
  const { storage, changes, challenges, relyingParty } = identity
  const response = readResponse(text)
  if (!response || !relyingParty) return 'not_proved'
  const info = await verifyRegistrationResponse({
    response: response as never,
    expectedChallenge: (challenge) => challenges.isOurs(challenge, `register ${session.id}`, binding),
    expectedOrigin: relyingParty.origin,
    expectedRPID: relyingParty.id,
    requireUserVerification: true,
  }).then(
    ({ registrationInfo }) => registrationInfo,
    // Whatever the library finds wrong with it.
    () => undefined,
  )
  if (!info) return 'not_proved'

  try {
    return await storage.write(async (tx) => {
      if (!(await lockUser(tx, user.id, 'update'))) throw notFound('user')
      if (!(await challenges.spend(tx, challengeIn(response)))) return 'not_proved'
      if ((await countPasskeys(tx, user.id)) >= MOST_PASSKEYS) return 'too_many'
      const passkey: Passkey = {
        id: newId('pky', changes.clock),
        userId: user.id,
        credentialId: info.credential.id,
        publicKey: Buffer.from(info.credential.publicKey).toString('base64url'),
        counter: info.credential.counter,
        transports: (info.credential.transports ?? []).slice(0, 8).map((one) => String(one).slice(0, 20)),
        synced: info.credentialDeviceType === 'multiDevice',
        name: passkeyName(name),
        createdAtMs: changes.clock.nowMs(),
        lastUsedAtMs: null,
      }
      await insertPasskey(tx, passkey)
      changes.record(tx, by, {
        action: 'passkey.added',
        tenant: null,
        target: { type: 'user', id: user.id },
        data: { passkey: passkey.id },
        feed: null,
      })
      return passkey
    })
  } catch (error) {
    if (error instanceof UniqueViolation) return 'known'
    throw error
  }
}
