/** What the operations of this module work with. */
import type { ActivityLog } from '../audit/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import { Afterwards } from './afterwards.ts'
import { BrowserForms } from './browser-forms.ts'
import { cookiesFor, type CookieNames } from './cookies.ts'
import { CodeSealer } from './one-time-codes/code-sealer.ts'
import { OfferedSecrets } from './one-time-codes/offered-secret.ts'
import { Challenges } from './passkeys/challenge.ts'
import { ProviderSealer } from './upstream/provider-sealer.ts'
import { relyingPartyOf, type RelyingParty } from './passkeys/relying-party.ts'
import { type HasherOptions, PasswordHasher } from './password-hasher.ts'
import type { Post } from './post.ts'
import { SessionUse } from './session-use.ts'

/** Seconds to wait, or 0 when an attempt of that name may go on: `TokenBuckets` of limits. */
export interface Throttle {
  take(name: string): number
}

export interface IdentityContext {
  readonly storage: Storage
  readonly changes: Changes
  readonly activity: Pick<ActivityLog, 'record'>
  readonly hasher: PasswordHasher
  /** Attempts on one account from one network, and attempts on any account from it. */
  readonly throttles: { readonly account: Throttle; readonly network: Throttle }
  readonly sessionUse: SessionUse
  readonly cookies: CookieNames
  readonly forms: BrowserForms
  /** The public address: what links in e-mails begin with, whatever host a request names. */
  readonly issuer: string
  readonly challenges: Challenges
  /** Undefined where browsers allow no passkeys: the issuer is an address, not a name. */
  readonly relyingParty: RelyingParty | undefined
  readonly codeSealer: CodeSealer
  readonly offeredSecrets: OfferedSecrets
  readonly providerSealer: ProviderSealer
  readonly afterwards: Afterwards
  /** Undefined where no e-mail can be sent: then nothing that needs one is offered. */
  readonly post: Post | undefined
  readonly signUp: SignUp
}

/** Whether strangers may make themselves an account, and of which tenant they are members then. */
export interface SignUp {
  readonly open: boolean
  readonly tenant?: string | undefined
}

export interface IdentityOptions extends Pick<
  IdentityContext,
  'storage' | 'changes' | 'activity' | 'throttles'
> {
  readonly issuer: string
  readonly rootSecret: string
  readonly hashing?: HasherOptions
  readonly post?: Post | undefined
  readonly signUp?: SignUp
}

/** Rates that stop guessing and no person: one account from one network, and any account from one network. */
export const SIGN_IN_RATES = {
  account: { perSecond: 1 / 30, burst: 10 },
  network: { perSecond: 1, burst: 60 },
} as const

export function createIdentity(options: IdentityOptions): IdentityContext {
  const { storage, changes, activity, throttles, issuer, rootSecret, hashing } = options
  const { post, signUp = { open: false } } = options
  const cookies = cookiesFor(issuer)
  return {
    storage,
    changes,
    activity,
    throttles,
    hasher: new PasswordHasher(hashing),
    sessionUse: new SessionUse(storage, changes.clock),
    cookies,
    forms: new BrowserForms(rootSecret, issuer, cookies),
    issuer,
    challenges: new Challenges(rootSecret, changes.clock),
    relyingParty: relyingPartyOf(issuer),
    codeSealer: new CodeSealer(rootSecret),
    providerSealer: new ProviderSealer(rootSecret),
    afterwards: new Afterwards(),
    post,
    signUp,
    offeredSecrets: new OfferedSecrets(rootSecret, changes.clock),
  }
}
