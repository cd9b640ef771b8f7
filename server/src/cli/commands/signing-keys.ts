/** signing-keys: what access tokens are signed with. Rotation goes by itself; these are for when it cannot wait. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { confirm } from '../input/confirm.ts'
import type { Column, Style } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import type { WireSigningKey } from '../wire.ts'

const PATH = '/v1/signing-keys'

export function define(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('List the signing keys, newest first, never their private parts.')
    .action(
      cli.action(async () => {
        const answer = await call<{ data: WireSigningKey[] }>(await cli.client(), 'GET', PATH)
        if (cli.out.isJson) await cli.out.json(answer)
        else if (answer.data.length === 0) await cli.out.note('Nothing there.')
        else await cli.out.write(cli.out.table(columns(cli)).lines(answer.data))
      }),
    )

  command
    .command('rotate')
    .description(
      'Publish the next key. It signs once the caches of verifiers have it; no valid token is refused.',
    )
    .addOption(new Option('--algorithm <name>', 'whose key (ES256)').choices(['ES256', 'RS256', 'EdDSA']))
    .action(
      cli.action(async ({ algorithm }: { algorithm?: string }) => {
        const body = { algorithm }
        await show(cli, await call<WireSigningKey>(await cli.client(), 'POST', `${PATH}/rotate`, { body }))
      }),
    )

  command
    .command('revoke <id>')
    .description('Revoke a key that may have been stolen: every token it signed stops working at once.')
    .option('--reason <text>', 'for the audit')
    .option('--yes', 'do not ask')
    // A kid is a hash in base64url: one in 64 begins with a dash.
    .allowUnknownOption()
    .action(
      cli.action(async (id: string, { reason, yes }: { reason?: string; yes?: boolean }) => {
        await confirm(cli.io, 'Every token that it signed stops working at once, for ever.', id, yes)
        const path = `${PATH}/${encodeURIComponent(id)}/revoke`
        await show(cli, await call<WireSigningKey>(await cli.client(), 'POST', path, { body: { reason } }))
      }),
    )
}

const STYLES: Record<WireSigningKey['state'], Style> = {
  next: 'strong',
  active: 'good',
  retiring: 'warn',
  gone: 'dim',
  revoked: 'bad',
}

function stateCell({ state }: WireSigningKey) {
  return { text: state, style: STYLES[state] }
}

function columns({ out }: Cli): Column<WireSigningKey>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'ALGORITHM', cell: ({ algorithm }) => algorithm },
    { title: 'STATE', cell: stateCell },
    { title: 'SIGNS FROM', cell: (key) => out.time(key.activated_at ?? key.activates_at) },
    { title: 'ENDS', cell: (key) => out.time(key.revoked_at ?? key.ends_at) },
  ]
}

async function show({ out }: Cli, key: WireSigningKey): Promise<void> {
  if (out.isJson) return out.json(key)
  const at = (time: string | null) => (time === null ? undefined : out.time(time))
  await out.card([
    ['id', key.id],
    ['algorithm', key.algorithm],
    ['state', stateCell(key)],
    ['created', out.time(key.created_at)],
    ['signs from', at(key.activated_at ?? key.activates_at)],
    ['retired', at(key.retired_at)],
    ['ends', at(key.ends_at)],
    ['revoked', at(key.revoked_at)],
    ['because', key.revoked_reason ?? undefined],
  ])
}
