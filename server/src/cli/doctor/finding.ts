/** What doctor found: how bad it is, what it is, and what to do. */

export type Level = 'ok' | 'warn' | 'fail'

export interface Finding {
  /** Stable, for scripts: `clock`, `keys_without_expiry`, … */
  readonly check: string
  readonly level: Level
  /** One sentence. */
  readonly finding: string
  /** What to do, one sentence; needed unless it is ok. */
  readonly remedy?: string
}

export function ok(check: string, finding: string): Finding {
  return { check, level: 'ok', finding }
}

export function warn(check: string, finding: string, remedy: string): Finding {
  return { check, level: 'warn', finding, remedy }
}

export function fail(check: string, finding: string, remedy: string): Finding {
  return { check, level: 'fail', finding, remedy }
}
