/** verify: what an API would be told about a credential. It comes from a prompt or a pipe, never from the arguments. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { listOption } from '../input/options.ts'
import { readSecret } from '../input/read-secret.ts'
import { call } from '../transport/api-client.ts'

interface VerifyOptions {
  readonly resource?: string
  readonly scope?: string[]
  readonly tenant?: string
  readonly ip?: string
  readonly environment?: string
}

type Answer =
  | {
      readonly valid: true
      readonly principal: {
        readonly sub: string
        readonly tenant: string
        readonly resource: string
        readonly scopes: readonly string[]
        readonly credential: { readonly type: string; readonly id: string; readonly environment: string }
        readonly expires_at?: string
      }
    }
  | { readonly valid: false; readonly code: string; readonly detail: string }

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
  const answer = await call<Answer>(client, 'POST', '/v1/verify', { body })
  if (out.isJson) await out.json(answer)
  else if (answer.valid) {
    const { principal } = answer
    await out.card([
      ['valid', { text: 'yes', style: 'good' }],
      ['subject', principal.sub],
      ['tenant', principal.tenant],
      ['resource', principal.resource],
      ['scopes', principal.scopes.join(' ') || '(none)'],
      [
        'credential',
        `${principal.credential.type} ${principal.credential.id} (${principal.credential.environment})`,
      ],
      ['expires', out.time(principal.expires_at, 'never')],
    ])
  } else
    await out.card([
      ['valid', { text: 'no', style: 'bad' }],
      ['code', answer.code],
      ['why', answer.detail],
    ])
  return answer.valid ? EXIT.ok : EXIT.failed
}
