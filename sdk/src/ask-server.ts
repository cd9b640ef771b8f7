/**
 * Asks `POST /v1/verify` about one credential. Whatever goes wrong is a value: the caller of an API must get 503 from
 * a service that lost its Postern, and its operator a sentence that says what to do.
 */
import { denial, type Denial } from './denial.ts'
import type { Config } from './options.ts'
import { parseReply, type Reply } from './reply.ts'

/** `warning` is for the operator; no credential stands in it. */
export interface Failure {
  readonly denial: Denial
  readonly warning: string
}

export type Answer = { readonly reply: Reply } | { readonly failure: Failure }

/** The server's replies have a few kilobytes; a metadata object at its limit has 16. */
const MAX_REPLY_BYTES = 256 * 1024

export async function askServer(
  config: Config,
  question: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  try {
    const response = await config.fetch(`${config.server}/v1/verify`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${config.credential}`,
        'content-type': 'application/json',
        accept: 'application/json',
      },
      body: JSON.stringify(question),
      // Followed, a redirect would carry both credentials to wherever it points; so it is an answer like any other.
      redirect: 'manual',
      signal: AbortSignal.timeout(config.timeoutMs),
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      return { failure: failureOf(response) }
    }
    const reply = parseReply(JSON.parse(await readBounded(response)))
    return reply
      ? { reply }
      : { failure: failure('its reply has an unknown form. Is that URL a Postern server?') }
  } catch (error) {
    return { failure: failure(`${reasonOf(error)}. Callers get 503 until it answers.`) }
  }
}

function failureOf(response: Response): Failure {
  const { status } = response
  if (status === 401 || status === 403)
    return failure(
      `it refuses this service's own credential (${status}). Every caller gets 503 until createVerifier is given a ` +
        'key with the scope verify that may ask about this resource.',
    )
  const retryAfter = Number(response.headers.get('retry-after') ?? '1')
  return failure(`it answered ${status}. Callers get 503 until it answers 200.`, retryAfter)
}

function failure(what: string, retryAfterSeconds = 1): Failure {
  // Bounded: a far-off date here would keep this service's callers away long after the server is back.
  const seconds = retryAfterSeconds >= 1 && retryAfterSeconds <= 60 ? Math.ceil(retryAfterSeconds) : 1
  return {
    denial: denial('unavailable', { retryAfterSeconds: seconds }),
    warning: `Postern cannot be asked: ${what}`,
  }
}

async function readBounded(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MAX_REPLY_BYTES) throw new RangeError()
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** The system's name of the failure ("ECONNREFUSED"), never the message: it may quote what was sent. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the request failed'
  if (error.name === 'TimeoutError') return 'it did not answer in time'
  if (error instanceof RangeError) return 'its reply is too long'
  if (error instanceof SyntaxError) return 'its reply is not JSON'
  const code = (error.cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string'
    ? `the request failed with ${code}`
    : `the request failed with ${error.name}`
}
