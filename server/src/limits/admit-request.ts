/** The limits on the server's own endpoints: by address before the credential is looked at, by credential after. */
import { type Admit, type Clock, denial, type Denial, limitNetwork } from '../kernel/index.ts'
import { type Rate, TokenBuckets } from './token-bucket.ts'

export interface OwnLimits {
  readonly address: Rate
  readonly credential: Rate
}

export function createAdmit(limits: OwnLimits, clock: Clock): Admit {
  const byAddress = new TokenBuckets(limits.address, clock)
  const byCredential = new TokenBuckets(limits.credential, clock)
  return ({ ip, callerId }): Denial | undefined => {
    const wait = callerId === undefined ? byAddress.take(limitNetwork(ip)) : byCredential.take(callerId)
    return wait === 0 ? undefined : denial('rate_limited', { retryAfterSeconds: wait })
  }
}
