/** What is counted together: a credential, on a route, with one result. */

export interface UsageCell {
  /** A key, or the grant or session that a token descends from; '' where there is none. */
  readonly credential: string
  readonly client: string
  readonly tenant: string
  /** Its URI. */
  readonly resource: string
  /** A pattern or a name, never a path that was called. */
  readonly route: string
  /** `valid`, or the code of the denial. */
  readonly result: string
}

export interface UsageCount extends UsageCell {
  /** Minutes since 1970. */
  readonly minute: number
  count: number
}

export interface RecentRequest {
  readonly credential: string
  readonly atMs: number
  readonly route: string
  /** '' where it is not known. */
  readonly address: string
  readonly result: string
}

export interface UsedScope {
  readonly credential: string
  readonly scope: string
  readonly atMs: number
}

export const GRAINS = ['minute', 'hour', 'day'] as const
export type Grain = (typeof GRAINS)[number]

/** How many of the last requests of a key are kept. */
export const RING = 100
