/**
 * Sign-ins under way: `state`, nonce, PKCE verifier and the way back, sealed in a short-lived cookie of the browser that
 * began. A callback in another browser finds none, so that nobody can be signed in as somebody else by a link. Each has a
 * cookie of its own, named by its state, so that two tabs do not spoil each other's.
 */
import { encodeBase64url } from '../base64url.ts'
import type { Clock } from '../clock.ts'
import type { SignInSecrets } from './authorization-server.ts'
import { type CookieNames, cookieText } from './cookies.ts'
import { createSealer } from './seal.ts'
import type { WebConfig } from './web-options.ts'

type Cookies = ReadonlyMap<string, string>

export interface PendingSignIn extends SignInSecrets {
  readonly returnTo: string
}

export interface PendingSignIns {
  /** Answers the cookies to set. */
  keep(signIn: PendingSignIn, cookies: Cookies): Promise<string[]>
  find(state: string, cookies: Cookies): Promise<PendingSignIn | undefined>
  /** Each is good for one callback. */
  forget(state: string): Promise<string[]>
}

const LIFETIME_MS = 10 * 60 * 1000
/** Of one browser at once; with more the oldest ones go, since headers are bounded. */
const MOST = 4

export function createPendingSignIns(config: WebConfig, names: CookieNames, clock: Clock): PendingSignIns {
  const sealer = createSealer<PendingSignIn>(config.keys, `sign-in ${config.clientId}`, clock)
  // The way back from Postern is a navigation from another site, which Strict would keep the cookie from.
  const about = { secure: names.secure, sameSite: 'Lax' } as const
  const cookieOf = async (state: string): Promise<string> => `${names.login}${await tagOf(state)}`

  return {
    async keep(signIn, cookies) {
      const before = [...cookies.keys()].filter((name) => name.startsWith(names.login))
      const surplus = before.slice(0, Math.max(0, before.length - (MOST - 1)))
      const sealed = await sealer.seal(signIn, clock.nowMs() + LIFETIME_MS)
      const name = await cookieOf(signIn.state)
      return [
        cookieText(name, sealed, { ...about, maxAgeSeconds: LIFETIME_MS / 1000 }),
        ...surplus.map((old) => cookieText(old, '', { ...about, maxAgeSeconds: 0 })),
      ]
    },
    async find(state, cookies) {
      const sealed = cookies.get(await cookieOf(state))
      const signIn = sealed === undefined ? undefined : await sealer.open(sealed)
      return signIn?.state === state ? signIn : undefined
    },
    async forget(state) {
      return [cookieText(await cookieOf(state), '', { ...about, maxAgeSeconds: 0 })]
    },
  }
}

/** 72 bits of a digest: the name of a cookie is no place for the state itself. */
async function tagOf(state: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(state))
  return encodeBase64url(new Uint8Array(digest).subarray(0, 9))
}
