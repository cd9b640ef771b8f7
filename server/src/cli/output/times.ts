/** Times and durations for people. */

const STEPS = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
] as const

/** `just now`, `5m ago`, `in 30d`. */
export function relative(ms: number, nowMs: number): string {
  const seconds = Math.abs(ms - nowMs) / 1_000
  // Days only from two of them on: "in 36h" says more than "in 2d".
  const [unit, size] = STEPS.find(([name, size]) => seconds >= (name === 'd' ? size * 2 : size * 0.99)) ?? [
    '',
    0,
  ]
  if (size === 0) return 'just now'
  const span = `${Math.round(seconds / size)}${unit}`
  return ms > nowMs ? `in ${span}` : `${span} ago`
}

/** `2027-01-31 12:00Z (in 30d)`. */
export function absoluteAndRelative(iso: string, nowMs: number): string {
  const ms = Date.parse(iso)
  return Number.isNaN(ms) ? iso : `${iso.slice(0, 16).replace('T', ' ')}Z (${relative(ms, nowMs)})`
}

/** `365d`, `12h`, `90s`: as the options take it. */
export function duration(seconds: number): string {
  const [unit, size] = STEPS.find(([, size]) => seconds >= size && seconds % size === 0) ?? ['s', 1]
  return `${seconds / size}${unit}`
}
