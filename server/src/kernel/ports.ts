/** What `http` needs from the domains, as ports: `app.ts` hands it the real things. */
import type { Caller } from './caller.ts'
import type { Denial } from './denial.ts'

/** What a route asks of its caller. A route cannot be declared without one. */
export type Access =
  | { readonly kind: 'public'; readonly why: string }
  /** Management: checks the database, not a cache. */
  | {
      readonly kind: 'management'
      readonly scope: string
      /** Any of these is enough to be let in; the operation asks for what it needs. */
      readonly orScopes?: readonly string[]
    }
  /** The hot path: a verifier's credential, from the cache. */
  | { readonly kind: 'verifier' }

export interface CredentialedRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** As it came, path and query. */
  readonly url: string
  readonly method: string
  readonly ip: string
}

/** Answers a Caller or a Denial; synchronously where it can. */
export type Authenticate = (
  request: CredentialedRequest,
  access: Exclude<Access, { kind: 'public' }>,
) => Caller | Denial | Promise<Caller | Denial>

/** Answers a Denial (`rate_limited`) or undefined. `route` is the route's pattern. */
export type Admit = (request: { ip: string; route: string; callerId?: string }) => Denial | undefined
