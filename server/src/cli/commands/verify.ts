/** verify: what an API would be told about a credential. It comes from a prompt or a pipe, never from the arguments. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { listOption } from '../input/options.ts'
import { readSecret } from '../input/read-secret.ts'
import { printVerdict } from '../output/verdict.ts'
import { call } from '../transport/api-client.ts'
import type { WireVerdict } from '../wire.ts'

interface VerifyOptions {
  readonly resource?: string
  readonly scope?: string[]
  readonly tenant?: string
  readonly ip?: string
  readonly environment?: string
}

export function define(command: Command, cli: Cli): void {
  command
    .description('Asks whether a credential is valid, and whose it is; exit code 1 when it is refused.')
    .option('--resource <uri>', 'the API that is being called')
    .addOption(listOption('--scope <scope>', 'what the call needs; again for more'))
    .option('--tenant <id>', 'the tenant it must belong to')
    .option('--ip <address>', 'the address that presented it')
    .addOption(new Option('--environment <name>', 'which keys to take').choices(['live', 'test', 'any']))
    .action(cli.action((options: VerifyOptions) => verify(cli, options)))
}

async function verify(cli: Cli, options: VerifyOptions): Promise<ExitCode> {
  const { out } = cli
  const client = await cli.client()
  const credential = await readSecret(cli.io, 'Credential (not shown): ')
  const { resource, scope: scopes, tenant, ip, environment } = options
  const body = { credential, resource, scopes, tenant, ip, environment }
  const answer = await call<WireVerdict>(client, 'POST', '/v1/verify', { body })
  if (out.isJson) await out.json(answer)
  else await printVerdict(out, answer)
  return answer.valid ? EXIT.ok : EXIT.failed
}
