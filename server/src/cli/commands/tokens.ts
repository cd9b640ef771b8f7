/** tokens: what a JWT says. Reading it is not verifying it, and every answer says which of the two was done. */
import { isUtf8 } from 'node:buffer'
import { type Command, Option } from 'commander'
import { findJsonFault } from '../../kernel/index.ts'
import type { Cli } from '../cli.ts'
import { CliError, EXIT, usageError } from '../errors.ts'
import { explainError } from '../explain-error.ts'
import { readSecret } from '../input/read-secret.ts'
import { memberLines } from '../output/claims.ts'
import { printVerdict } from '../output/verdict.ts'
import { call } from '../transport/api-client.ts'
import type { WireVerdict } from '../wire.ts'

interface InspectOptions {
  readonly resource?: string
  readonly offline?: boolean
}

export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

export function define(command: Command, cli: Cli): void {
  command
    .command('inspect')
    .argument('[-]', 'the token is read from a prompt or a pipe, never from here')
    .description('Show what a JWT says, and ask the server whether it is true, where there is one.')
    .option('--resource <uri>', 'the API that it would be used for')
    .addOption(new Option('--offline', 'only decode; ask nobody').conflicts('resource'))
    .action(cli.action((input: string | undefined, options: InspectOptions) => inspect(cli, input, options)))
  command
    .command('revoke')
    .argument('[-]', 'the token is read from a prompt or a pipe, never from here')
    .description('End one access token everywhere, within a second.')
    .action(cli.action((input: string | undefined) => revoke(cli, input)))
}

interface Revoked {
  readonly targets: readonly { readonly id: string; readonly status: string }[]
}

/** The short form of `postern revoke token`: no questions, one token. */
async function revoke(cli: Cli, input: string | undefined): Promise<void> {
  const { out, io } = cli
  refuseArgument(input, 'revoke')
  const token = await readSecret(io, 'Token (not shown): ')
  const answer = await call<Revoked>(await cli.client(), 'POST', '/v1/revocations', {
    body: { targets: [{ kind: 'token', token }] },
  })
  if (out.isJson) return out.json(answer)
  const [ended] = answer.targets
  await out.note(
    ended?.status === 'revoked'
      ? `Revoked ${ended.id}. Whoever can refresh gets another one.`
      : 'This token had been revoked before.',
  )
}

function refuseArgument(input: string | undefined, verb: string): void {
  if (input !== undefined && input !== '-')
    throw usageError(
      'A token is not taken from the arguments, which others can see.',
      `Pipe it in: … | postern tokens ${verb} -`,
    )
}

async function inspect(cli: Cli, input: string | undefined, options: InspectOptions): Promise<void> {
  const { out, io } = cli
  refuseArgument(input, 'inspect')
  const token = await readSecret(io, 'Token (not shown): ')
  const { header, claims } = decodeToken(token)
  const verified = options.offline ? 'Nobody was asked.' : await ask(cli, token, options.resource)
  const isVerdict = typeof verified !== 'string'
  if (out.isJson)
    return out.json({
      header,
      claims,
      verification: isVerdict ? verified : null,
      ...(!isVerdict && { not_verified_because: verified }),
    })
  const nowMs = io.nowMs()
  await out.line(out.paint('strong', 'Header'))
  await out.card(memberLines(out, header, nowMs))
  await out.line('')
  await out.line(out.paint('strong', 'Claims'))
  await out.card(memberLines(out, claims, nowMs))
  if (!isVerdict)
    return out.note(
      `NOTHING WAS VERIFIED: neither the signature nor the issuer nor a revocation. Anyone can write such a token. ${verified}`,
    )
  await out.line('')
  await out.line(out.paint('strong', 'The server says'))
  await printVerdict(out, verified)
}

/** What the server decides, or why there is no decision. */
async function ask(
  cli: Cli,
  credential: string,
  resource: string | undefined,
): Promise<WireVerdict | string> {
  try {
    const body = { credential, resource }
    const verdict = await call<WireVerdict>(await cli.client(), 'POST', '/v1/verify', { body })
    return verdict.valid || verdict.code !== 'unsupported'
      ? verdict
      : `The server did not check it: ${verdict.detail}`
  } catch (error) {
    const { message, exitCode } = explainError(error, false)
    // A mistyped command line is a fault; a server that is not there is none, when the token can be read without it.
    if (exitCode === EXIT.usage) throw error
    return `No server could be asked: ${message}`
  }
}

/** Throws a CliError for what is not a JWT. Checks nothing else. */
export function decodeToken(text: string): DecodedToken {
  const parts = text.split('.')
  if (parts.length === 5)
    throw new CliError(EXIT.failed, 'This is an encrypted token (JWE): only its recipient can read it.')
  const [header, claims] = parts.slice(0, 2).map(jsonOf)
  if (parts.length !== 3 || !header || !claims)
    throw new CliError(EXIT.failed, 'This is not a JWT.', {
      hint: 'An API key says nothing by itself; ask the server with: postern verify',
    })
  return { header, claims }
}

/** Read as verifiers do: a member that stands twice would mean one thing here and another there. */
function jsonOf(segment: string): Record<string, unknown> | undefined {
  if (!/^[\w-]+$/.test(segment)) return undefined
  const bytes = Buffer.from(segment, 'base64url')
  if (!isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return findJsonFault(value, text) ? undefined : (value as Record<string, unknown>)
  } catch {
    return undefined
  }
}
