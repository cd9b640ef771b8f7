/** login: signs a person in by the device flow (RFC 8628) and keeps the tokens. Management still takes operator keys. */
import type { Command } from 'commander'
import { DEVICE_CODE } from '../../clients/index.ts'
import type { Cli } from '../cli.ts'
import { CliError, EXIT, usageError } from '../errors.ts'
import { loginOf } from '../login/fresh-login.ts'
import { discover, send } from '../login/oauth-endpoints.ts'
import { loginFile, writeLogin } from '../login/stored-login.ts'

interface LoginOptions {
  readonly server?: string
  readonly client: string
  readonly resource?: string
  readonly scope?: string
}

export function define(command: Command, cli: Cli): void {
  command
    .description(
      'Sign in with a browser, on this machine or another, and keep the tokens in ~/.config/postern/login.json.',
    )
    .option('--server <issuer>', 'the address of the Postern (POSTERN_URL)')
    .requiredOption('--client <id>', 'a native client with the device flow')
    .option('--resource <uri>', 'the API that the token is for')
    .option('--scope <scopes>', 'what it may do there, divided by spaces')
    .action(cli.action((options: LoginOptions) => login(cli, options)))
}

async function login(cli: Cli, options: LoginOptions): Promise<void> {
  const { io, out } = cli
  const server = options.server ?? io.env['POSTERN_URL']
  if (!server) throw usageError('Which server?', 'Give --server, or set POSTERN_URL.')
  const { client: client_id, resource, scope } = options
  const endpoints = await discover(server)
  const begun = await send(endpoints.device_authorization_endpoint, {
    client_id,
    scope: ['openid', ...(scope ?? '').split(' ')].filter(Boolean).join(' '),
    ...(resource !== undefined && { resource }),
  })
  if (begun.status !== 200) throw refused(begun.body)
  await out.note(`Open ${String(begun.body['verification_uri'])} and type this code:`)
  await out.note(`  ${String(begun.body['user_code'])}`)

  const endsAtMs = io.nowMs() + Number(begun.body['expires_in']) * 1_000
  for (let seconds = Number(begun.body['interval'] ?? 5); io.nowMs() < endsAtMs;) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
    const answer = await send(endpoints.token_endpoint, {
      grant_type: DEVICE_CODE,
      device_code: String(begun.body['device_code']),
      client_id,
    })
    if (answer.status === 200) {
      const known = { issuer: endpoints.issuer, client_id, ...(resource !== undefined && { resource }) }
      const file = loginFile(io.env)
      writeLogin(file, loginOf(answer.body, known, io.nowMs()))
      if (out.isJson) return out.json({ file })
      return out.note(`Signed in. The tokens are in ${file}; see: postern whoami`)
    }
    if (answer.body['error'] === 'slow_down') seconds += 5
    else if (answer.body['error'] !== 'authorization_pending') throw refused(answer.body)
  }
  throw new CliError(EXIT.failed, 'Nobody typed the code in time.')
}

function refused(body: Readonly<Record<string, unknown>>): CliError {
  const why = String(body['error_description'] ?? body['error'] ?? 'the server gave no reason')
  return new CliError(EXIT.failed, `The sign-in was refused: ${why}.`)
}
