/** keys check: form and checksum of a key, offline. Says nothing about whether it was ever issued. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { readSecret } from '../input/read-secret.ts'

export function defineCheck(command: Command, cli: Cli): void {
  command
    .command('check [key]')
    .description(
      'Check the form and checksum of a key, offline; exit code 3 when they are wrong. Give - and pipe the key in, or nothing for a prompt.',
    )
    .action(cli.action((key: string | undefined) => check(cli, key)))
}

async function check(cli: Cli, given: string | undefined): Promise<ExitCode> {
  const { out } = cli
  if (given !== undefined && given !== '-')
    await out.note(
      'Arguments are seen by other users and kept in the history of the shell: revoke the key if it is in use, and next time give - and pipe it in.',
    )
  const text = given === undefined || given === '-' ? await readSecret(cli.io, 'Key (not shown): ') : given
  const { parseKey, resemblesKey } = await import('../../api-keys/index.ts')
  const parsed = parseKey(text)
  if (parsed) {
    const { prefix, environment, lookup } = parsed
    if (out.isJson) await out.json({ ok: true, prefix, environment, lookup })
    else
      await out.card([
        ['form', { text: 'right', style: 'good' }],
        ['prefix', prefix],
        ['environment', environment],
        ['look-up', lookup],
      ])
    return EXIT.ok
  }
  const reason = resemblesKey(text)
    ? 'it has a typing error, or a part of it is missing: its length or checksum is wrong'
    : 'it is not a key of Postern; an imported one cannot be checked offline'
  if (out.isJson) await out.json({ ok: false, reason })
  else
    await out.card([
      ['form', { text: 'wrong', style: 'bad' }],
      ['why', reason],
    ])
  return EXIT.checkFailed
}
