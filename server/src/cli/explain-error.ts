/** Every way to fail, as a sentence, a next step and an exit code. */
import { ConfigError } from '../config.ts'
import { PosternError, redactCredentials } from '../kernel/index.ts'
import type { Cli } from './cli.ts'
import { CliError, EXIT, type ExitCode } from './errors.ts'
import { printable } from './output/text.ts'
import { ApiRefusal, ApiUnreachable, StreamCut } from './transport/api-client.ts'

export interface Explained {
  readonly exitCode: ExitCode
  readonly code: string
  readonly message: string
  readonly hint?: string | undefined
  /** Which members were at fault. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

export async function reportError(error: unknown, cli: Cli, asJson: boolean): Promise<ExitCode> {
  const {
    exitCode,
    code,
    message,
    hint,
    errors = [],
  } = explainError(error, cli.io.env['POSTERN_URL'] === undefined)
  // A fault may repeat what was typed, and someone will type a key in the wrong place.
  const safe = (text: string): string => redactCredentials(printable(text))
  if (asJson)
    await cli.out.note(
      JSON.stringify({
        error: { code, detail: safe(message), ...(hint && { hint }), errors, exit_code: exitCode },
      }),
    )
  else {
    await cli.out.note(`postern: ${safe(message)}`)
    for (const fault of errors)
      if (!message.includes(fault.detail)) await cli.out.note(safe(`  ${fault.pointer}: ${fault.detail}`))
    if (hint) await cli.out.note(`  → ${safe(hint)}`)
  }
  return exitCode
}

export function explainError(error: unknown, isLocal: boolean): Explained {
  if (error instanceof CliError) return { ...pick(error), exitCode: error.exitCode, code: error.code }
  if (error instanceof ApiRefusal) return refusal(error, isLocal)
  if (error instanceof ApiUnreachable) return unreachable(error)
  if (error instanceof StreamCut)
    return { exitCode: EXIT.unavailable, code: 'stream_cut', message: error.message, hint: 'Run it again.' }
  if (error instanceof ConfigError)
    return { exitCode: EXIT.usage, code: 'configuration', message: error.message }
  if (error instanceof PosternError)
    return {
      exitCode: error.status === 503 ? EXIT.unavailable : EXIT.failed,
      code: error.code,
      message: error.message,
      hint: causeOf(error),
    }
  return {
    exitCode: EXIT.failed,
    code: 'failed',
    message: error instanceof Error ? error.message : String(error),
  }
}

function pick({ message, hint }: CliError): { message: string; hint?: string | undefined } {
  return { message, hint }
}

function refusal(error: ApiRefusal, isLocal: boolean): Explained {
  const { status, problem } = error
  return {
    exitCode: exitCodeOf(status),
    code: problem?.code ?? `http_${status}`,
    message: error.message,
    errors: problem?.errors ?? [],
    hint: hintOf(error, isLocal),
  }
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return EXIT.notPermitted
  if (status === 429 || status === 502 || status === 503 || status === 504) return EXIT.unavailable
  return EXIT.failed
}

function hintOf({ status, problem, headers }: ApiRefusal, isLocal: boolean): string | undefined {
  if (problem === undefined) return 'Check POSTERN_URL: something other than Postern seems to have answered.'
  switch (status) {
    case 401:
      return 'Check POSTERN_OPERATOR_KEY: it must be the unrevoked key of an operator of this server.'
    case 403: {
      const scope = /scope="([^"]+)"/.exec(headers['www-authenticate'] ?? '')?.[1]
      return scope ? `The operator needs the scope ${scope}; see \`postern operators list\`.` : undefined
    }
    case 404:
      return 'The verb `list` shows what there is; what you do not reach looks as if it were not there.'
    case 429:
      return `Wait ${headers['retry-after'] ?? 'a few'} seconds and run it again.`
    case 500:
      return isLocal ? 'The lines above have the cause.' : "The server's log has the cause."
    case 503:
      return 'Nothing is known to be lost. Run it again; `postern doctor` looks for the cause.'
    default:
      return undefined
  }
}

/** Codes of node's network and TLS errors. */
const NETWORK_HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there. Is it running? Start it with: npm start',
  ENOTFOUND: 'The name in POSTERN_URL is not known to DNS.',
  EAI_AGAIN: 'DNS does not answer. Are you online?',
  CERT_HAS_EXPIRED: "The server's certificate has expired: renew it.",
  DEPTH_ZERO_SELF_SIGNED_CERT: 'Name its certificate authority in NODE_EXTRA_CA_CERTS.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'Name its certificate authority in NODE_EXTRA_CA_CERTS.',
  SELF_SIGNED_CERT_IN_CHAIN: 'Name its certificate authority in NODE_EXTRA_CA_CERTS.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'POSTERN_URL must have a name that is in the certificate.',
  not_postern: 'Check POSTERN_URL.',
}

function unreachable({ message, reason }: ApiUnreachable): Explained {
  const hint = NETWORK_HINTS[reason] ?? 'Check POSTERN_URL, and that the server is running.'
  return { exitCode: EXIT.unavailable, code: 'unreachable', message, hint }
}

function causeOf(error: Error): string | undefined {
  return error.cause instanceof Error ? error.cause.message : undefined
}
