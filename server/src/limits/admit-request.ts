/**
 * The limits on the server's own endpoints: by address before the credential is looked at, by credential after. What
 * costs a password's hash, a signature or a row for whoever asks has a narrower limit besides.
 */
import { type Admit, type Clock, denial, type Denial, limitNetwork } from '../kernel/index.ts'
import { type Rate, TokenBuckets } from './token-bucket.ts'

export interface OwnLimits {
  readonly address: Rate
  readonly credential: Rate
  /** On the endpoints where people and clients sign in and get tokens. */
  readonly signIn: Rate
}

/** By the end of the route's pattern: an issuer may have a path in front. */
const SIGN_IN_ROUTES = /\/(sign-in|token|par|device|device\/authorize|register|interaction\/:uid)$/

export function createAdmit(limits: OwnLimits, clock: Clock): Admit {
  const byAddress = new TokenBuckets(limits.address, clock)
  const byCredential = new TokenBuckets(limits.credential, clock)
  const bySigner = new TokenBuckets(limits.signIn, clock)
  return ({ ip, route, callerId }): Denial | undefined => {
    if (callerId !== undefined) return waiting(byCredential.take(callerId))
    const network = limitNetwork(ip)
    return waiting(byAddress.take(network) || (SIGN_IN_ROUTES.test(route) ? bySigner.take(network) : 0))
  }
}

function waiting(retryAfterSeconds: number): Denial | undefined {
  return retryAfterSeconds === 0 ? undefined : denial('rate_limited', { retryAfterSeconds })
}
