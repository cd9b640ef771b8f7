/** What the OAuth server works with; app.ts hands it the real things. */
import type { Logger } from 'pino'
import type { ActivityLog } from '../audit/index.ts'
import type { Artifacts } from '../clients/index.ts'
import type { Clock, Denial, Presented } from '../kernel/index.ts'
import type { Charged } from '../limits/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import type { OwnToken, SigningKeys } from '../tokens/index.ts'
import type { People } from './people.ts'

/** Credentials of ours that are presented to the token endpoint, or asked about: verify, without its cache. */
export interface Credentials {
  /** An API key that passes every check for this address. An imported one is found only with its resource. */
  apiKey(text: string, ip: string, resource?: string): Promise<Presented | Denial>
  /** An access token of ours that is good right now, whichever resource it is for. */
  accessToken(text: string): Promise<OwnToken | Denial>
}

export interface OAuthPorts {
  readonly issuer: string
  /** Whether anybody may register a client (RFC 7591). */
  readonly dynamicRegistration: boolean
  readonly rootSecret: string
  readonly storage: Storage
  readonly clock: Clock
  readonly changes: Changes
  readonly activity: Pick<ActivityLog, 'record'>
  readonly artifacts: Artifacts
  readonly signingKeys: SigningKeys
  /** Makes the first key of every algorithm that an ID token may ask for: what discovery names is there. */
  ensureSigningKeys(): Promise<void>
  readonly credentials: Credentials
  readonly people: People
  /** Whether a token with the position `rsn` will be charged to anything that has limits or a plan. */
  isLimited(rsn: number, charged: () => Promise<Charged>): boolean | Promise<boolean>
  readonly logger: Pick<Logger, 'error' | 'warn'>
  /** Client metadata documents and key sets are fetched from loopback too: where the deployment itself is on loopback. */
  readonly allowLoopback: boolean
}
