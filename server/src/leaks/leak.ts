/** A key that was seen in public: where, who said so, and what was done. */

/** Who may report: the scanners that sign what they say, and operators. */
export const REPORTERS = ['github', 'gitlab', 'operator'] as const
export type ReporterKind = (typeof REPORTERS)[number]

/** One place where something that looks like a key was seen. */
export interface Sighting {
  /** The text itself: it is neither kept nor logged. */
  readonly token: string
  /** What the reporter calls such a key. */
  readonly type: string
  /** Where it is; empty when that was not said. */
  readonly url: string
  /** In what: `content`, `commit`, `issue_comment`, … */
  readonly source: string
}

/** What a leak led to. `none`: the key had ended already, or nothing more was to be done. */
export const LEAK_ACTIONS = ['revoked', 'disabled', 'ends', 'told', 'none'] as const
export type LeakAction = (typeof LEAK_ACTIONS)[number]

export interface Leak {
  readonly id: string
  readonly atMs: number
  readonly tenantId: string
  readonly resourceId: string
  readonly keyId: string
  readonly reporter: ReporterKind
  /** The operator's credential id, or the reporter's name. */
  readonly reportedBy: string
  readonly type: string
  readonly source: string
  readonly url: string
  readonly action: LeakAction
}

/** A key is told of at most so many places: a file that is copied a thousand times says nothing new. */
export const MOST_PLACES = 100
