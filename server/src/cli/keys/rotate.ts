/** keys rotate: a new key at once, the old one for a while longer. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { durationOption, expiryOption } from '../input/options.ts'
import { endOf, type Expiry } from '../input/time.ts'
import { printIssued } from '../output/credential.ts'
import { createOnce } from '../transport/create-once.ts'
import type { Rotated, WireKey } from '../wire.ts'
import { keyPath } from './path.ts'

interface RotateOptions {
  readonly overlap?: number
  readonly expires?: Expiry
  readonly quiet?: boolean
}

export function defineRotate(command: Command, cli: Cli): void {
  command
    .command('rotate <id>')
    .description('Give a key a successor, shown once; the old one goes on for the overlap.')
    .addOption(
      durationOption('--overlap <duration>', 'how long the old key goes on (1d); 0s ends it at once'),
    )
    .addOption(
      expiryOption(cli.io, 'when the new key ends: 30d, a time, or never (as long again as the old one)'),
    )
    .option('--quiet', 'print the new key alone, for a pipe')
    .action(
      cli.action(async (id: string, { overlap, expires, quiet }: RotateOptions) => {
        const body = {
          overlap_seconds: overlap,
          expires_at: expires === undefined ? undefined : endOf(expires, cli.io.nowMs()),
        }
        const rotated = await createOnce<Rotated<WireKey>>(await cli.client(), keyPath(id, 'rotate'), body)
        if (cli.out.isJson && !quiet) return cli.out.json(rotated)
        await printIssued(cli, rotated.key, { purpose: 'new API key', ...(quiet ? { quiet } : {}) })
        if (quiet) return
        await cli.out.note(`The old one ends ${cli.out.time(rotated.old.expires_at).text}.`)
        await cli.out.note(`Is it still in use? postern keys rotation ${rotated.old.id}`)
      }),
    )
}
