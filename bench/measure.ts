/** What the numbers are made of: medians of interleaved rounds, with their spread. */

export interface Spread {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  return {
    median: percentile(sorted, 50),
    lowest: sorted[0] ?? Number.NaN,
    highest: sorted.at(-1) ?? Number.NaN,
  }
}

/** Of values in ascending order, by the nearest rank. */
export function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN
}

/** One ratio a round, since what disturbed the machine disturbed both of its halves. */
export function ratios(of: readonly number[], to: readonly number[]): Spread {
  return spread(of.map((value, round) => value / (to[round] as number)))
}

export interface Line {
  readonly what: string
  readonly value: Spread | number | string
  readonly unit?: string
  /** Says whether the target is met; a line without one is for information. */
  readonly target?: { readonly text: string; readonly met: boolean }
}

/** A line that is compared with a target by its median. */
export function against(
  what: string,
  value: Spread,
  unit: string,
  limit: { readonly atLeast: number } | { readonly atMost: number },
): Line {
  const atLeast = 'atLeast' in limit
  const bound = atLeast ? limit.atLeast : limit.atMost
  return {
    what,
    value,
    unit,
    target: {
      text: `${atLeast ? '≥' : '≤'} ${show(bound)}${unit === '×' ? ' ×' : ` ${unit}`}`,
      met: atLeast ? value.median >= bound : value.median <= bound,
    },
  }
}

export function printTable(title: string, lines: readonly Line[]): void {
  const rows = lines.map(({ what, value, unit = '', target }) => [
    what,
    typeof value === 'string' ? value : `${show(typeof value === 'number' ? value : value.median)} ${unit}`,
    typeof value === 'object' ? `${show(value.lowest)} … ${show(value.highest)}` : '',
    target ? target.text : '',
    target ? (target.met ? 'met' : 'MISSED') : '',
  ])
  const all = [[title, 'median', 'lowest … highest', 'target', ''], ...rows]
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  for (const [index, row] of all.entries()) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    if (index === 0) console.log(widths.map((width) => '-'.repeat(width)).join('  '))
  }
  console.log()
}

function show(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1000) return String(value)
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
