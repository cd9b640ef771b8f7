/** keys peppers, rotate-pepper: the server-side secret that every stored hash depends on. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { call } from '../transport/api-client.ts'

interface WirePepper {
  readonly version: number
  readonly current: boolean
  readonly created_at: string
  readonly keys: number
}

export function definePeppers(command: Command, cli: Cli): void {
  command
    .command('peppers')
    .description('List the versions of the pepper, and how many keys still depend on each.')
    .action(
      cli.action(async () => {
        const { out } = cli
        const answer = await call<{ data: WirePepper[] }>(await cli.client(), 'GET', '/v1/peppers')
        if (out.isJson) return out.json(answer)
        const table = out.table<WirePepper>([
          { title: 'VERSION', cell: ({ version }) => String(version), align: 'right' },
          { title: 'STATE', cell: ({ current }) => (current ? { text: 'current', style: 'good' } : 'older') },
          { title: 'CREATED', cell: (pepper) => out.time(pepper.created_at) },
          { title: 'KEYS', cell: ({ keys }) => keys.toLocaleString('en'), align: 'right' },
        ])
        await out.write(table.lines(answer.data))
      }),
    )

  command
    .command('rotate-pepper')
    .description('Add a version of the pepper. Keys move to it as they are used; nothing stops working.')
    .action(
      cli.action(async () => {
        const answer = await call<{ version: number }>(await cli.client(), 'POST', '/v1/peppers/rotate', {
          body: {},
        })
        if (cli.out.isJson) await cli.out.json(answer)
        else
          await cli.out.note(
            `Version ${answer.version} is in use. See how keys move to it: postern keys peppers`,
          )
      }),
    )
}
