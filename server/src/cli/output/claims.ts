/** The members of a JWT's header or claims, with times that a person can read. */
import type { Output } from './output.ts'
import type { Cell } from './table.ts'
import { printable } from './text.ts'

/** NumericDate (RFC 7519, section 2): seconds. */
const TIMES = new Set(['exp', 'nbf', 'iat', 'auth_time', 'updated_at'])

export function memberLines(
  out: Output,
  members: Readonly<Record<string, unknown>>,
  nowMs: number,
): [string, Cell | string][] {
  // Names come from elsewhere as the values do.
  return Object.entries(members).map(([name, value]) => [printable(name), cellOf(out, name, value, nowMs)])
}

function cellOf(out: Output, name: string, value: unknown, nowMs: number): Cell | string {
  if (typeof value === 'string') return value
  const iso = TIMES.has(name) ? isoOf(value) : undefined
  if (iso === undefined) return JSON.stringify(value)
  const hasPassed = Date.parse(iso) <= nowMs
  const isOff = name === 'exp' ? hasPassed : name === 'nbf' ? !hasPassed : false
  return { ...out.time(iso), ...(isOff && { style: 'bad' as const }) }
}

function isoOf(value: unknown): string | undefined {
  if (typeof value !== 'number' || !(Math.abs(value) < 8.64e12)) return undefined
  return new Date(value * 1_000).toISOString()
}
