/** The few requests of OAuth that a command line makes: found by metadata, sent as forms. */
import { CliError, EXIT } from '../errors.ts'

export interface Endpoints {
  readonly issuer: string
  readonly token_endpoint: string
  readonly device_authorization_endpoint: string
  readonly introspection_endpoint: string
  readonly revocation_endpoint: string
}

export async function discover(server: string): Promise<Endpoints> {
  const base = server.replace(/\/+$/, '')
  const { hostname, protocol } = new URL(base)
  if (protocol !== 'https:' && !/^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname))
    throw new CliError(EXIT.usage, `${server} is plain http beyond loopback, which would show the token.`)
  const answer = await send(`${base}/.well-known/openid-configuration`)
  const metadata = answer.body as unknown as Endpoints
  // RFC 8414, section 3.3: metadata of another issuer is not believed.
  if (answer.status !== 200 || metadata.issuer !== base)
    throw new CliError(EXIT.failed, `${server} is not the address of a Postern.`, {
      hint: 'Give its issuer, as /.well-known/openid-configuration names it.',
    })
  return metadata
}

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export async function send(url: string, form?: Readonly<Record<string, string>>): Promise<Answer> {
  try {
    const answer = await fetch(url, {
      redirect: 'error',
      signal: AbortSignal.timeout(15_000),
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
    const text = await answer.text()
    const isJson = /json/.test(answer.headers.get('content-type') ?? '')
    return { status: answer.status, body: isJson ? (JSON.parse(text) as Answer['body']) : {} }
  } catch {
    throw new CliError(EXIT.unavailable, `${new URL(url).origin} cannot be reached.`)
  }
}
