/** keys update, disable, enable, revoke. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { expiryOption, listOption, metadataOption } from '../input/options.ts'
import { endOf, type Expiry } from '../input/time.ts'
import { call } from '../transport/api-client.ts'
import type { WireKey } from '../wire.ts'
import { keyPath } from './path.ts'
import { showKey } from './read.ts'

interface UpdateOptions {
  readonly name?: string
  readonly scope?: string[]
  readonly expires?: Expiry
  readonly ip?: string[]
  readonly anyIp?: boolean
  readonly metadata?: Record<string, unknown>
}

export function defineChange(command: Command, cli: Cli): void {
  const post = async (id: string, operation: string, body?: unknown): Promise<void> => {
    const path = keyPath(id, operation)
    await showKey(
      cli,
      await call<WireKey>(await cli.client(), 'POST', path, body === undefined ? {} : { body }),
    )
  }

  command
    .command('update <id>')
    .description('Change a key. What it may do and until when takes effect at once.')
    .option('--name <name>', 'what it is for')
    .addOption(listOption('--scope <scope>', 'the whole list of what it may do; again for more'))
    .addOption(expiryOption(cli.io))
    .addOption(listOption('--ip <network>', 'the whole list of where it may be used from; again for more'))
    .option('--any-ip', 'may be used from anywhere')
    .addOption(metadataOption())
    .action(
      cli.action(async (id: string, options: UpdateOptions) => {
        const patch = patchOf(options, cli.io.nowMs())
        if (Object.keys(patch).length === 0)
          throw usageError('Nothing to change.', 'See: postern keys update --help')
        await showKey(cli, await call<WireKey>(await cli.client(), 'PATCH', keyPath(id), { body: patch }))
      }),
    )

  command
    .command('disable <id>')
    .description('Refuse a key until it is enabled again.')
    .action(cli.action((id: string) => post(id, 'disable')))

  command
    .command('enable <id>')
    .description('Take a disabled key again.')
    .action(cli.action((id: string) => post(id, 'enable')))

  command
    .command('revoke <id>')
    .description('Revoke a key, for ever and everywhere.')
    .option('--reason <text>', 'for the audit')
    .action(cli.action((id: string, { reason }: { reason?: string }) => post(id, 'revoke', { reason })))
}

function patchOf(
  { name, scope, expires, ip, anyIp, metadata }: UpdateOptions,
  nowMs: number,
): Record<string, unknown> {
  if (ip && anyIp) throw usageError('--ip and --any-ip contradict each other.')
  return {
    ...(name === undefined ? {} : { name }),
    ...(scope === undefined ? {} : { scopes: scope }),
    ...(expires === undefined ? {} : { expires_at: endOf(expires, nowMs) }),
    ...(anyIp ? { ip_allow: [] } : ip === undefined ? {} : { ip_allow: ip }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}
