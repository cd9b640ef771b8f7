/** users passkeys and users second-factor: what a user signs in with, and taking it away where a device was lost. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { confirm } from '../input/confirm.ts'
import { printDone } from '../output/done.ts'
import type { Column } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import type { WirePasskey, WireSecondFactor } from '../wire.ts'
import { userPath } from './path.ts'

export function defineFactors(users: Command, cli: Cli): void {
  const passkeys = users.command('passkeys').description('The passkeys of a user.')

  passkeys
    .command('list <user>')
    .description('List the passkeys of a user.')
    .action(
      cli.action(async (user: string) => {
        const path = userPath(user, 'passkeys')
        const answer = await call<{ data: WirePasskey[] }>(await cli.client(), 'GET', path)
        if (cli.out.isJson) await cli.out.json(answer)
        else if (answer.data.length === 0) await cli.out.note('Nothing there.')
        else await cli.out.write(cli.out.table(columns(cli)).lines(answer.data))
      }),
    )

  passkeys
    .command('remove <user> <passkey>')
    .description('Remove a passkey. All sessions of the user end.')
    .action(
      cli.action(async (user: string, passkey: string) => {
        await call(await cli.client(), 'DELETE', userPath(user, 'passkeys', passkey))
        await printDone(cli, { removed: passkey, user }, `Removed ${passkey} from ${user}.`)
      }),
    )

  const secondFactor = users.command('second-factor').description('The one-time codes of a user.')

  secondFactor
    .command('show <user>')
    .description('Show since when there is one, and how many recovery codes are left.')
    .action(
      cli.action(async (user: string) => {
        const state = await call<WireSecondFactor>(await cli.client(), 'GET', userPath(user, 'second-factor'))
        if (cli.out.isJson) return cli.out.json(state)
        await cli.out.card([
          ['type', 'one-time codes'],
          ['since', cli.out.time(state.created_at)],
          ['last used', state.last_used_at === null ? 'never' : cli.out.time(state.last_used_at)],
          ['recovery codes left', String(state.recovery_codes_left)],
          ['wrong codes in a row', state.wrong_codes === 0 ? undefined : String(state.wrong_codes)],
        ])
      }),
    )

  secondFactor
    .command('remove <user>')
    .description('Take it away from somebody who lost it. All sessions of the user end.')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (user: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        await call<WireSecondFactor>(client, 'GET', userPath(user, 'second-factor'))
        await confirm(cli.io, 'From then on a password alone signs this user in.', user, yes)
        await call(client, 'DELETE', userPath(user, 'second-factor'))
        await printDone(cli, { removed: user }, `Removed the second factor of ${user}.`)
      }),
    )
}

function columns({ out }: Cli): Column<WirePasskey>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name, cuttable: true },
    { title: 'ON', cell: ({ synced }) => (synced ? 'several devices' : 'one device') },
    {
      title: 'LAST USED',
      cell: ({ last_used_at: used }) => (used === null ? 'never' : out.time(used)),
    },
    { title: 'CREATED', cell: (passkey) => out.time(passkey.created_at) },
  ]
}
