/** All active keys, in one pass over the export: whatever their number, only counts are kept. */
import type { Cli } from '../cli.ts'
import { Progress } from '../output/progress.ts'
import { plural } from '../output/text.ts'
import type { ApiClient } from '../transport/api-client.ts'
import type { WireKey } from '../wire.ts'
import { type Finding, ok, warn } from './finding.ts'

const DAY_MS = 86_400_000

interface Rule {
  readonly check: string
  readonly applies: (key: WireKey, nowMs: number) => boolean
  readonly finding: (count: number) => string
  readonly remedy: string
}

const RULES: readonly Rule[] = [
  {
    check: 'keys_without_expiry',
    applies: (key) => key.expires_at === null,
    finding: (count) => `${plural(count, 'active key')} will never end.`,
    remedy: 'Give them an end: postern keys update <id> --expires 365d',
  },
  {
    check: 'keys_unused',
    applies: (key, nowMs) => Date.parse(key.last_used_at ?? key.created_at) < nowMs - 90 * DAY_MS,
    finding: (count) =>
      `${plural(count, 'active key')} of 90 days or older ${count === 1 ? 'was' : 'were'} not used for 90 days.`,
    remedy:
      'See them: postern keys bulk-revoke --status active --last-used-before "90d ago" --created-before "90d ago" --dry-run',
  },
  {
    check: 'keys_ending',
    applies: (key, nowMs) =>
      key.rotated_to === null && endsWithin(key, nowMs, 14) && usedWithin(key, nowMs, 7),
    finding: (count) =>
      `${plural(count, 'key')} in use will end within 14 days, and ${count === 1 ? 'has' : 'have'} no successor.`,
    remedy: 'See them: postern keys list --status active --expiring-before "in 14d"; then rotate them.',
  },
  {
    check: 'rotations_unfinished',
    applies: (key, nowMs) =>
      key.rotated_to !== null && endsWithin(key, nowMs, 2) && usedSince(key, key.rotated_at),
    finding: (count) =>
      `${plural(count, 'rotated key')} will end within two days, but ${count === 1 ? 'was' : 'were'} still used after the rotation.`,
    remedy: 'See from where: postern keys rotation <id>; more time: postern keys update <id> --expires 7d',
  },
]

export async function* checkKeys(client: ApiClient, cli: Cli): AsyncGenerator<Finding> {
  const nowMs = cli.io.nowMs()
  const progress = new Progress(cli.io, 'Looking at keys')
  const counts = RULES.map(() => 0)
  let total = 0
  try {
    for await (const line of client.stream('GET', '/v1/keys/export', { query: { status: 'active' } })) {
      if (line === '') continue
      const key = JSON.parse(line) as WireKey
      for (const [at, rule] of RULES.entries())
        if (rule.applies(key, nowMs)) counts[at] = (counts[at] ?? 0) + 1
      progress.update((total += 1))
    }
  } finally {
    progress.end()
  }
  for (const [at, { check, finding, remedy }] of RULES.entries()) {
    const count = counts[at] ?? 0
    if (count > 0) yield warn(check, finding(count), remedy)
  }
  if (counts.every((count) => count === 0))
    yield ok('keys', `${plural(total, 'active key')}: all of them end and are used.`)
}

function endsWithin({ expires_at: end }: WireKey, nowMs: number, days: number): boolean {
  return end !== null && Date.parse(end) < nowMs + days * DAY_MS
}

function usedWithin({ last_used_at: used }: WireKey, nowMs: number, days: number): boolean {
  return used !== null && Date.parse(used) > nowMs - days * DAY_MS
}

function usedSince({ last_used_at: used }: WireKey, since: string | null): boolean {
  return used !== null && since !== null && Date.parse(used) > Date.parse(since)
}
