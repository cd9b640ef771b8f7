/** Durations as people type them: `30d`, `12h`, `3600s`, `1d12h`. */

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const
const FORM = /^(?:\d{1,9}[smhdw])+$/
const PART = /(\d+)([smhdw])/g

/** Whole seconds; undefined for anything that is not a duration. */
export function durationSeconds(text: string): number | undefined {
  if (!FORM.test(text)) return undefined
  let seconds = 0
  for (const [, count, unit] of text.matchAll(PART))
    seconds += Number(count) * UNITS[unit as keyof typeof UNITS]
  return Number.isSafeInteger(seconds) ? seconds : undefined
}

/** Throws an Error whose message says what is expected. */
export function parseDuration(text: string): number {
  const seconds = durationSeconds(text.trim())
  if (seconds === undefined) throw new Error('Expected a duration such as 30d, 12h, 90m or 3600s.')
  return seconds
}
