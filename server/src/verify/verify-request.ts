/** One question to `verify`. */
import type { Caller, Environment, Principal } from '../kernel/index.ts'

export interface VerifyRequest {
  readonly credential: string
  /** The URI of the resource that is being called; undefined: whichever the credential is for. */
  readonly resource?: string | undefined
  /** All of them are needed. */
  readonly scopes: readonly string[]
  /** One of them is needed; none, or empty: no role is. */
  readonly roles?: readonly string[] | undefined
  /** Which kinds of credential are taken; undefined: all. */
  readonly kinds?: readonly Principal['credential']['type'][] | undefined
  readonly tenant?: string | undefined
  /** The address of whoever presents the credential; undefined fails an allow-list. */
  readonly ip?: string | undefined
  readonly method?: string | undefined
  /** The URL that was called: a key in it is refused. Absolute where there is a proof. */
  readonly url?: string | undefined
  /** The DPoP header of a credential that came as `Authorization: DPoP`. */
  readonly dpop?: string | undefined
  readonly origin?: string | undefined
  readonly secFetchSite?: string | undefined
  readonly environment: Environment | 'any'
  /** The user signed in by one of these (RFC 9470); none, or empty: however they did. */
  readonly acrValues?: readonly string[] | undefined
  /** The user signed in no longer ago than this. */
  readonly maxAgeSeconds?: number | undefined
  /** What the request costs its limits; undefined: nothing is charged. */
  readonly cost?: number | undefined
  /** Buckets that the asking verifier has charged already, out of its leases. */
  readonly reserved?: readonly string[] | undefined
  /** How far the asking caller reaches: beyond that everything is `unknown`. */
  readonly reach: Pick<Caller, 'tenant' | 'resources'>
}
