/** Shows how far a revocation reaches, asks, does it once, and says what came of each target. */
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { confirm } from '../input/confirm.ts'
import { plural } from '../output/text.ts'
import { call } from '../transport/api-client.ts'
import { createOnce, withPatience } from '../transport/create-once.ts'
import type { RevokeAnswer, WireOutcome } from '../wire.ts'

export interface WireTarget {
  readonly kind: WireOutcome['kind']
  readonly id?: string
  readonly token?: string
  readonly tenant?: string
}

export interface RevokeOptions {
  readonly reason?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
}

const PATH = '/v1/revocations'

export async function revokeTargets(
  cli: Cli,
  targets: readonly WireTarget[],
  { reason, dryRun, yes }: RevokeOptions,
): Promise<ExitCode> {
  const { out } = cli
  const client = await cli.client()
  const body = { targets, reason }
  const preview = await withPatience(
    () => call<RevokeAnswer>(client, 'POST', PATH, { body: { ...body, dry_run: true } }),
    3,
  )
  if (!out.isJson) await printPreview(cli, preview)
  if (dryRun) {
    if (out.isJson) await out.json(preview)
    return exitOf(preview)
  }
  if (preview.revoked > 0) {
    const [only] = preview.targets
    const answer = preview.targets.length === 1 && only ? only.id : String(preview.revoked)
    await confirm(cli.io, 'This cannot be undone.', answer, yes)
  }
  const answer = await createOnce<RevokeAnswer>(client, PATH, body)
  if (out.isJson) await out.json(answer)
  else await printOutcomes(cli, answer)
  return exitOf(answer)
}

function exitOf({ targets }: RevokeAnswer): ExitCode {
  return targets.some(({ status }) => status === 'refused') ? EXIT.failed : EXIT.ok
}

/** On stderr: stdout is for what was done. */
async function printPreview(
  { out }: Cli,
  { revoked, targets, blast_radius: radius }: RevokeAnswer,
): Promise<void> {
  const refused = targets.filter(({ status }) => status === 'refused')
  for (const { id, detail } of refused) await out.note(`${id}: ${detail ?? 'refused'}`)
  if (revoked === 0) return out.note('There is nothing left to revoke.')
  if (!radius) return
  const counts = [
    [radius.keys, 'key'],
    [radius.operators, 'operator'],
    [radius.sessions, 'session'],
    [radius.grants, 'grant'],
    [radius.clients, 'client'],
  ] as const
  const reached = counts.flatMap(([count, noun]) => (count > 0 ? [plural(count, noun)] : []))
  const { at_most: tokens, counted } = radius.tokens
  if (tokens > 0) reached.push(`at most ${plural(tokens, 'access token')}`)
  await out.note(reached.length > 0 ? `This reaches ${reached.join(', ')}.` : 'Nothing alive is known of it.')
  if (tokens > 0) await out.note(counted)
}

async function printOutcomes({ out }: Cli, { targets }: RevokeAnswer): Promise<void> {
  await out.write(
    out
      .table<WireOutcome>([
        { title: 'KIND', cell: ({ kind }) => kind },
        { title: 'TARGET', cell: ({ id }) => id },
        { title: 'OUTCOME', cell: outcomeCell },
        { title: 'REVOCATION', cell: ({ revocation }) => revocation ?? '-' },
      ])
      .lines(targets),
  )
}

function outcomeCell({ status, detail }: WireOutcome) {
  if (status === 'revoked') return { text: 'revoked', style: 'bad' as const }
  if (status === 'already_revoked') return { text: 'already revoked', style: 'dim' as const }
  return { text: detail ?? 'refused', style: 'warn' as const }
}
