/** whoami: what the token of `login` is worth right now, or the token itself, for other programs. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { CliError, EXIT } from '../errors.ts'
import { freshLogin } from '../login/fresh-login.ts'
import { send } from '../login/oauth-endpoints.ts'
import { forgetLogin, loginFile } from '../login/stored-login.ts'
import { memberLines } from '../output/claims.ts'

interface WhoamiOptions {
  readonly token?: boolean
  readonly signOut?: boolean
}

export function define(command: Command, cli: Cli): void {
  command
    .description('Show what the token of `postern login` says, and that the server still takes it.')
    .option('--token', 'print the access token alone, refreshed if need be')
    .option('--sign-out', 'end the sign-in, here and at the server')
    .action(cli.action((options: WhoamiOptions) => whoami(cli, options)))
}

async function whoami({ io, out }: Cli, { token, signOut }: WhoamiOptions): Promise<void> {
  const file = loginFile(io.env)
  const { login, endpoints } = await freshLogin(file, io.nowMs())
  const { access_token, refresh_token, client_id } = login
  if (signOut) {
    await send(endpoints.revocation_endpoint, { token: refresh_token ?? access_token, client_id })
    forgetLogin(file)
    return out.note('Signed out.')
  }
  if (token) return out.line(access_token)
  const { body } = await send(endpoints.introspection_endpoint, { token: access_token, client_id })
  if (body['active'] !== true)
    throw new CliError(EXIT.notPermitted, 'The server does not take this token any more.', {
      hint: 'postern login',
    })
  if (out.isJson) return out.json(body)
  await out.card(memberLines(out, body, io.nowMs()))
}
