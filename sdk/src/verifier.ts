/** `verify()`: a request or a credential in, a Principal or a Denial out. A credential seen before costs no wait. */
import { Answers, type Accepted } from './answers.ts'
import type { Clock } from './clock.ts'
import { brokenConstraint, type Circumstances } from './constraints.ts'
import { denial, type Denial } from './denial.ts'
import { digestOf } from './digest.ts'
import { hasTypo, isCredentialText, MAX_CREDENTIAL_LENGTH } from './key-format.ts'
import type { Config } from './options.ts'
import { isFromBrowser, presentedCredential, type CredentialRequest } from './presented.ts'
import type { Result } from './principal.ts'
import { exposureReporter } from './report-exposure.ts'
import { exposedCredential } from './url-exposure.ts'
import { quietWarnings } from './warnings.ts'

export interface VerifyOptions {
  /** All of them are needed. Default: none. */
  readonly scopes?: string | readonly string[]
  /** The caller's address. Without it, a credential that is bound to networks is refused. */
  readonly ip?: string | undefined
}

export interface Verifier {
  /** The URI of the API that this verifier answers for. */
  readonly resource: string
  /**
   * Checks the one credential in `request`, or a credential's bare text, and answers a Principal or a Denial.
   *
   * The answer is a value when it is known here, and a Promise when the server has to be asked; `await` takes both.
   * It never throws and never rejects because of what a caller sent or because the server is away: that is the Denial
   * `unavailable`. With a bare credential there is no URL and no header to look at, so that `exposed_in_url`,
   * `exposed_in_browser` and `multiple_credentials` cannot be found out.
   *
   * Not checked here: limits and quotas, proofs of possession, and whether the request's body is what it should be.
   */
  verify(request: CredentialRequest | string, options?: VerifyOptions): Result | Promise<Result>
}

const NO_SCOPES: readonly string[] = []

/** The verifier itself, after its options were read; `clock` is passed in for the tests. */
export function buildVerifier(config: Config, clock: Clock): Verifier {
  const warn = quietWarnings(config.onWarning, clock)
  const answers = new Answers(config, clock, warn)
  const report = exposureReporter(config, clock)

  function verify(
    request: CredentialRequest | string,
    options: VerifyOptions = {},
  ): Result | Promise<Result> {
    const credential = typeof request === 'string' ? bareCredential(request) : readRequest(request)
    if (typeof credential !== 'string') return credential
    const circumstances: Circumstances = {
      ip: options.ip,
      fromBrowser: typeof request !== 'string' && isFromBrowser(request),
      scopes: scopeList(options.scopes),
      environment: config.environment,
    }
    const digest = digestOf(credential)
    return typeof digest === 'string'
      ? decide(credential, digest, circumstances)
      : digest.then((digest) => decide(credential, digest, circumstances))
  }

  function readRequest(request: CredentialRequest): string | Denial {
    const credential = presentedCredential(request, config.legacyHeader)
    const url = request.url ?? ''
    const exposed = exposedCredential(url, typeof credential === 'string' ? credential : undefined)
    if (exposed === undefined) return credential
    void report(exposed, url)
    return denial('exposed_in_url')
  }

  function decide(credential: string, digest: string, request: Circumstances): Result | Promise<Result> {
    const known = answers.recall(digest, request.ip)
    if (known) return judge(known, request)
    // After the look-up: a known credential has proved its form.
    if (!isCredentialText(credential) || hasTypo(credential)) return denial('malformed')
    return answers.ask(credential, digest, request.ip).then((answer) => judge(answer, request))
  }

  function judge(answer: Accepted | Denial, request: Circumstances): Result {
    if (!answer.valid) return answer
    const code = brokenConstraint(answer.constraints, request, answer.principal, clock)
    if (code === undefined) return answer.principal
    if (code === 'ip_not_allowed' && request.ip === undefined)
      warn(
        "Postern: a credential that is bound to networks was refused because the caller's address is not known. " +
          'Give verify() an ip, or the adapter a clientIp function.',
      )
    return code === 'insufficient_scope' ? denial(code, { scopes: request.scopes }) : denial(code)
  }

  return { resource: config.resource, verify }
}

function bareCredential(text: string): string | Denial {
  if (text === '') return denial('missing')
  return text.length > MAX_CREDENTIAL_LENGTH ? denial('malformed') : text
}

function scopeList(scopes: string | readonly string[] | undefined): readonly string[] {
  return typeof scopes === 'string' ? [scopes] : (scopes ?? NO_SCOPES)
}
