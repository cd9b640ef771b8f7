/** A limit as people write it, `per-second=100/s,burst=300`, to the API's form and back. */
import { Option } from 'commander'
import { parsedOption } from '../input/options.ts'
import type { WireLimit } from '../wire.ts'

const SECONDS = { s: 1, m: 60, h: 3600 } as const
const FORM = 'Expected name=count/window, such as per-second=100/s,burst=300 or daily=10000/day.'

/** Throws an Error that says what was expected. */
export function parseLimit(text: string): WireLimit {
  const [head = '', ...rest] = text.split(',')
  const match = /^([a-z0-9][a-z0-9._-]{0,63})=(\d{1,10})\/(?:(day|month)|(\d{0,5})([smh]))$/.exec(head.trim())
  if (!match) throw new Error(FORM)
  const [, name = '', count, period, many, unit] = match
  const words = rest.map((word) => word.trim())
  const leased = words.includes('leased')
  const burst = words.map((word) => /^burst=(\d{1,10})$/.exec(word)?.[1]).find((found) => found !== undefined)
  const known = words.filter(
    (word) => word !== 'leased' && word !== 'strict' && !/^burst=\d{1,10}$/.test(word),
  )
  if (known.length > 0 || (period && burst)) throw new Error(FORM)
  const common = {
    name,
    limit: Number(count),
    enforcement: leased ? ('leased' as const) : ('strict' as const),
  }
  return period
    ? { type: 'quota', ...common, period: period as 'day' | 'month' }
    : {
        type: 'rate',
        ...common,
        window_seconds: Number(many === '' ? 1 : many) * SECONDS[unit as keyof typeof SECONDS],
        ...(burst !== undefined && { burst: Number(burst) }),
      }
}

export function limitText({
  type,
  name,
  limit,
  window_seconds = 1,
  burst,
  period,
  enforcement,
}: WireLimit): string {
  const [unit, seconds] = Object.entries(SECONDS).findLast(([, one]) => window_seconds % one === 0) ?? [
    's',
    1,
  ]
  const many = window_seconds / seconds
  const parts = [`${name}=${limit}/${type === 'quota' ? period : `${many === 1 ? '' : many}${unit}`}`]
  if (burst !== undefined && burst !== limit) parts.push(`burst=${burst}`)
  if (enforcement === 'leased') parts.push('leased')
  return parts.join(',')
}

export function limitsText(limits: readonly WireLimit[]): string {
  return limits.length === 0 ? '-' : limits.map(limitText).join(' ')
}

/** Again for more; `''` for none. */
export function limitOption(): Option {
  return parsedOption<WireLimit[]>(
    '--limit <limit>',
    "per-second=100/s,burst=300 or daily=10000/day; again for more, '' for none",
    (text, before = []) => [
      ...before,
      ...text
        .split(/\s+/)
        .filter((word) => word !== '')
        .map(parseLimit),
    ],
  )
}
