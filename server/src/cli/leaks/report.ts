/** leaks report: one key that was seen somewhere. It comes from a prompt or a pipe, never from the arguments. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { readSecret } from '../input/read-secret.ts'
import { call } from '../transport/api-client.ts'
import type { WireLeakAnswer } from '../wire.ts'
import { ACTIONS } from './scan.ts'

interface ReportOptions {
  readonly url?: string
  readonly dryRun?: boolean
}

export function defineReport(command: Command, cli: Cli): void {
  command
    .command('report')
    .description('Report a key that leaked, read from a pipe or a prompt: the policy of its API is applied.')
    .option('--url <url>', 'where it was seen')
    .option('--dry-run', 'only ask whose it is and whether it is alive')
    .action(cli.action((options: ReportOptions) => report(cli, options)))
}

async function report(cli: Cli, { url, dryRun = false }: ReportOptions): Promise<ExitCode> {
  const { out } = cli
  const client = await cli.client()
  const token = await readSecret(cli.io, 'Key (not shown): ')
  const answer = await call<WireLeakAnswer>(client, 'POST', '/v1/leaks', {
    body: { dry_run: dryRun, reports: [{ token, url }] },
  })
  const found = answer.data[0]?.found ?? []
  if (out.isJson) await out.json(answer)
  else if (found.length === 0) await out.note('It is no key of this deployment.')
  else
    for (const { key, owner, resource, status, action, expires_at: expires } of found)
      await out.card([
        ['key', key],
        ['owner', owner],
        ['api', resource],
        ['status', status],
        ['expires', out.time(expires, 'never')],
        ['done', dryRun ? undefined : (ACTIONS[action] ?? 'nothing more')],
      ])
  return found.length === 0 ? EXIT.failed : EXIT.ok
}
