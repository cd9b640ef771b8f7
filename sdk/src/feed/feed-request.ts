/** One request to the feed, by `fetch` alone. Whatever goes wrong is a value with a sentence for the operator. */
import { unrefSockets } from './unref-sockets.ts'

export interface FeedSource {
  /** The base URL of the server, without a slash at its end. */
  readonly server: string
  readonly credential: string
  readonly fetch: typeof fetch
}

export interface Failure {
  readonly failure: string
  /** When another attempt makes sense; absent: soon, and later each time. */
  readonly retryMs?: number
}

export interface FeedResponse {
  /** The body as it arrives. */
  chunks(): AsyncIterable<Uint8Array>
  /** The whole body, bounded. */
  json(): Promise<{ readonly value: unknown } | Failure>
}

/** 200,000 rows in force. */
const MOST_BYTES = 32 * 1024 * 1024
const REFUSED_RETRY_MS = 10_000
const ABSENT_RETRY_MS = 60_000

export const NOT_A_FEED: Failure = {
  failure: 'what it sends is not a feed that this version can read. Is that URL a Postern server?',
  retryMs: REFUSED_RETRY_MS,
}

/** `path` is what stands after `/v1/feed/`. Never rejects. */
export async function requestFeed(
  { server, credential, fetch }: FeedSource,
  path: string,
  signal: AbortSignal,
): Promise<FeedResponse | Failure> {
  const feed = `${server}/v1/feed/`
  const restore = unrefSockets(feed)
  try {
    const response = await fetch(`${feed}${path}`, {
      headers: {
        authorization: `Bearer ${credential}`,
        accept: path.startsWith('stream') ? 'text/event-stream' : 'application/json',
      },
      // Followed, a redirect would carry the credential to wherever it points.
      redirect: 'manual',
      signal,
    })
    if (response.status === 200) return responseOf(response, signal)
    await response.body?.cancel()
    return refusalOf(response.status)
  } catch (error) {
    return failureOf(error)
  } finally {
    restore()
  }
}

function refusalOf(status: number): Failure {
  if (status === 401 || status === 403)
    return {
      failure:
        `it refuses this service's own credential (${status}). createVerifier needs a key with the scope verify ` +
        'that may ask about this resource.',
      retryMs: REFUSED_RETRY_MS,
    }
  if (status === 404)
    return { failure: 'it has no feed (404). Is it an older version?', retryMs: ABSENT_RETRY_MS }
  return { failure: `it answered ${status}.` }
}

/** The system's name of the failure, never the message: it may quote what was sent. */
function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { failure: 'the request failed.' }
  if (error.name === 'AbortError') return { failure: 'it did not answer in time.' }
  const code = (error.cause as { code?: unknown } | undefined)?.code
  return { failure: `the request failed with ${typeof code === 'string' ? code : error.name}.` }
}

function responseOf({ body }: Response, signal: AbortSignal): FeedResponse {
  return {
    async *chunks() {
      const reader = body?.getReader()
      if (!reader) return
      // Not every runtime ends a body that is being read when its request is aborted.
      const stop = () => void reader.cancel().catch(() => {})
      signal.addEventListener('abort', stop)
      try {
        for (;;) {
          const { done, value } = await reader.read()
          if (done) return
          yield value as Uint8Array
        }
      } finally {
        // Also when the stream is left half-way: its connection has to go with it.
        signal.removeEventListener('abort', stop)
        await reader.cancel().catch(() => {})
      }
    },
    async json() {
      const decoder = new TextDecoder()
      let text = ''
      let bytes = 0
      try {
        for await (const chunk of this.chunks()) {
          bytes += chunk.byteLength
          if (bytes > MOST_BYTES) return { failure: 'its answer is too long.', retryMs: REFUSED_RETRY_MS }
          text += decoder.decode(chunk, { stream: true })
        }
        return { value: JSON.parse(text + decoder.decode()) as unknown }
      } catch (error) {
        return error instanceof SyntaxError ? NOT_A_FEED : failureOf(error)
      }
    },
  }
}
