/**
 * Signing in with a passkey: two factors at once, since the authenticator checks that it is the person (user verification
 * is required), and phishing-resistant, since it answers this origin alone. Whoever is refused learns nothing from it.
 */
import { verifyAuthenticationResponse } from '@simplewebauthn/server'
import { readFeedHead } from '../../revocation/index.ts'
import { ACR_PASSKEY } from '../acr.ts'
import type { IdentityContext } from '../identity-context.ts'
import { openSession, type Visit } from '../open-session.ts'
import { noteSignIn, type SignInOutcome, throttled, WRONG } from '../sign-in-outcome.ts'
import { lockPassword, selectUser } from '../user-store.ts'
import { noteUse, selectByCredential } from './passkey-store.ts'
import type { Passkey } from './passkey.ts'
import { challengeIn, readResponse } from './read-response.ts'

export interface PasskeyInput extends Visit {
  /** The authenticator's answer, as the page posted it. */
  readonly response: string
  readonly binding: string
}

export async function signInWithPasskey(
  identity: IdentityContext,
  { response: text, binding, ...visit }: PasskeyInput,
): Promise<SignInOutcome> {
  const { storage, changes, challenges } = identity
  const { ip } = visit
  const { seq: rsn } = await readFeedHead(storage.read())
  const retryAfterSeconds = throttled(identity, ip)
  if (retryAfterSeconds > 0) {
    noteSignIn(identity, ip, 'throttled')
    return { signedIn: false, refusal: 'throttled', retryAfterSeconds }
  }

  const response = readResponse(text)
  const passkey = response && (await selectByCredential(storage, response.id))
  const user = passkey && (await selectUser(storage, passkey.userId))
  const proved = passkey && response && (await proves(identity, passkey, response, binding))
  if (!proved || !user || user.disabledAtMs !== null) {
    noteSignIn(identity, ip, proved ? 'disabled' : 'wrong_passkey', user?.id)
    return WRONG
  }

  const opened = await storage.write(async (tx) => {
    if (!(await challenges.spend(tx, challengeIn(response)))) return undefined
    const current = await lockPassword(tx, user.id)
    if (!current || current.disabled) return undefined
    const { counter, synced } = proved
    if (!(await noteUse(tx, passkey.id, { counter, synced, nowMs: changes.clock.nowMs() }))) return undefined
    // What the authenticator says of itself, since no attestation is asked for.
    const amr = [synced ? 'swk' : 'hwk', 'user', 'mfa']
    return openSession(tx, changes, { userId: user.id, rsn, acr: ACR_PASSKEY, amr }, visit)
  })
  noteSignIn(identity, ip, opened ? 'signed_in' : 'changed_meanwhile', user.id)
  return opened ? { signedIn: true, user, ...opened } : WRONG
}

async function proves(
  { challenges, relyingParty }: IdentityContext,
  passkey: Passkey,
  response: NonNullable<ReturnType<typeof readResponse>>,
  binding: string,
): Promise<{ counter: number; synced: boolean } | undefined> {
  if (!relyingParty) return undefined
  // The authenticator names whom it made the passkey for; another user's is not this one's.
  const userHandle = response.response['userHandle']
  if (userHandle !== undefined && userHandle !== Buffer.from(passkey.userId).toString('base64url'))
    return undefined
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: response as never,
      expectedChallenge: (challenge) => challenges.isOurs(challenge, 'sign_in', binding),
      expectedOrigin: relyingParty.origin,
      expectedRPID: relyingParty.id,
      requireUserVerification: true,
      credential: {
        id: passkey.credentialId,
        publicKey: new Uint8Array(Buffer.from(passkey.publicKey, 'base64url')),
        counter: passkey.counter,
      },
    })
    return verified
      ? {
          counter: authenticationInfo.newCounter,
          synced: authenticationInfo.credentialDeviceType === 'multiDevice',
        }
      : undefined
  } catch {
    // Whatever the library finds wrong with it: a signature, an origin, a flag, a counter that fell.
    return undefined
  }
}
