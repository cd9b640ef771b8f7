/** A credential that was proven, of whichever kind, with everything that judging it needs. Immutable. */
import type { CidrList } from './network.ts'
import type { Principal } from './principal.ts'

export interface Presented {
  readonly principal: Principal
  readonly resourceId: string
  /** For ever: itself, something it descends from, or its tenant or resource; or a level was raised above it. */
  readonly revoked: boolean
  /** For now: itself or its tenant. */
  readonly disabled: boolean
  readonly notBeforeMs: number | null
  readonly expiresAtMs: number | null
  /** Empty: any address. */
  readonly ipAllow: CidrList
  /** The same as it is written. */
  readonly ipAllowText: readonly string[]
  /** Whether it may come from a browser. */
  readonly allowBrowser: boolean
  /** How long a verifier may keep the answer without asking again. */
  readonly cacheSeconds: number
  /** Rows of the feed with one of these touch it (see `feedRef`). */
  readonly refs: readonly string[]
}
