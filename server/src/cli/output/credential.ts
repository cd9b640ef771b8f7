/** Keys and operators, as tables and cards show them. */
import type { Cli } from '../cli.ts'
import type { Issued, WireKey, WireOperator, WireStatus } from '../wire.ts'
import type { Cell, Style } from './table.ts'

const STYLES: Record<WireStatus, Style> = { active: 'good', disabled: 'warn', expired: 'dim', revoked: 'bad' }

export function statusCell(status: WireStatus): Cell {
  return { text: status, style: STYLES[status] }
}

/** What is still known of a key after it was shown: enough to recognize it. */
export function keyHint(
  { lookup, last4 }: { lookup: string | null; last4: string | null },
  prefix: string,
): string {
  const start = lookup === null ? prefix : `${prefix}_${lookup}`
  return `${start}…${last4 ?? ''}`
}

/**
 * Shows a key the only time it can be seen. With --quiet the key alone, so that it can be piped into a vault; with --json
 * the whole answer.
 */
export async function printIssued(
  cli: Cli,
  issued: Issued<WireKey | WireOperator>,
  options: { quiet?: boolean; purpose: string },
): Promise<void> {
  const { out } = cli
  if (options.quiet) return out.line(issued.key)
  if (out.isJson) return out.json(issued)
  await out.card([
    ['id', issued.id],
    ['name', issued.name],
    ['owner', issued.owner],
    ['scopes', issued.scopes.join(' ') || '(none)'],
    ['expires', out.time(issued.expires_at, 'never')],
  ])
  await out.line('')
  await out.line(issued.key)
  await out.line('')
  await out.note(
    `This is the ${options.purpose}. It is shown this once and stored nowhere: keep it in a secret store now.`,
  )
}
