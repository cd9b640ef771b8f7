/**
 * For those who receive webhooks: is this message Postern's, and is it young? By Standard Webhooks 1.0, with Web Crypto
 * alone, so that it runs wherever `fetch` does.
 */

/** What Postern tells. More types may come: pass over those that you do not know. */
export interface WebhookEvent {
  /** The same for every attempt and every replay of a message: note it, and pass over what you have seen. */
  readonly id: string
  /** Such as `api_key.leaked`. */
  readonly type: string
  /** When it happened, RFC 3339. */
  readonly timestamp: string
  readonly data: Readonly<Record<string, unknown>>
}

export type WebhookRefusal =
  | 'missing_headers'
  | 'too_old'
  | 'from_the_future'
  | 'wrong_signature'
  | 'not_an_event'

/** `event` is there only when `valid` is true. */
export type WebhookResult =
  | { readonly valid: true; readonly event: WebhookEvent }
  | { readonly valid: false; readonly code: WebhookRefusal }

export interface WebhookOptions {
  /** How far the message's time and this clock may be apart. 300 unless told. */
  readonly toleranceSeconds?: number
  /** Unix milliseconds. */
  readonly now?: () => number
}

type HeaderSource = Headers | Readonly<Record<string, string | readonly string[] | undefined>>

const TOLERANCE_SECONDS = 300
const MOST_SIGNATURES = 20
const LONGEST_HEADER = 4_096

/**
 * Checks a message that was received. `body` is the request's body as it came, before any parser: the signature is over
 * its bytes. `secrets` is the endpoint's `whsec_…`, or several of them, of which one has to fit.
 *
 * It answers a value for whatever a sender may send, and throws for a secret that is none. Not checked here: whether the
 * message came before (`event.id`).
 */
export async function verifyWebhook(
  body: string | Uint8Array,
  headers: HeaderSource,
  secrets: string | readonly string[],
  options: WebhookOptions = {},
): Promise<WebhookResult> {
  const keys = (typeof secrets === 'string' ? [secrets] : secrets).map(bytesOfSecret)
  if (keys.length === 0) throw new TypeError('verifyWebhook needs a secret.')
  const id = headerOf(headers, 'webhook-id')
  const timestamp = headerOf(headers, 'webhook-timestamp')
  const signatures = headerOf(headers, 'webhook-signature')
  if (!id || !signatures || !timestamp || !/^\d{1,12}$/.test(timestamp)) return refused('missing_headers')

  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const signed = concat(new TextEncoder().encode(`${id}.${timestamp}.`), bytes)
  if (!(await isSigned(signed, signatures, keys))) return refused('wrong_signature')

  const aheadSeconds = Number(timestamp) - (options.now?.() ?? Date.now()) / 1000
  const tolerance = options.toleranceSeconds ?? TOLERANCE_SECONDS
  if (aheadSeconds < -tolerance) return refused('too_old')
  if (aheadSeconds > tolerance) return refused('from_the_future')
  const event = readEvent(id, bytes)
  return event ? { valid: true, event } : refused('not_an_event')
}

/** Web Crypto compares in constant time. */
async function isSigned(
  signed: Uint8Array<ArrayBuffer>,
  header: string,
  keys: readonly Uint8Array<ArrayBuffer>[],
): Promise<boolean> {
  const given = header
    .split(' ')
    .slice(0, MOST_SIGNATURES)
    .flatMap((one) => (one.startsWith('v1,') ? (fromBase64(one.slice(3)) ?? []) : []))
  for (const key of keys) {
    const hmac = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, [
      'verify',
    ])
    for (const signature of given)
      if (await crypto.subtle.verify('HMAC', hmac, signature, signed)) return true
  }
  return false
}

function readEvent(id: string, bytes: Uint8Array): WebhookEvent | undefined {
  try {
    const { type, timestamp, data } = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(bytes),
    ) as Record<string, unknown>
    if (typeof type !== 'string' || typeof timestamp !== 'string') return undefined
    if (typeof data !== 'object' || data === null) return undefined
    return { id, type, timestamp, data: data as Record<string, unknown> }
  } catch {
    return undefined
  }
}

function headerOf(headers: HeaderSource, name: string): string | undefined {
  const value = headers instanceof Headers ? headers.get(name) : headers[name]
  return typeof value === 'string' && value.length <= LONGEST_HEADER ? value : undefined
}

function bytesOfSecret(secret: string): Uint8Array<ArrayBuffer> {
  const bytes = secret.startsWith('whsec_') ? fromBase64(secret.slice('whsec_'.length)) : undefined
  if (!bytes || bytes.length < 16) throw new TypeError('A webhook secret begins with whsec_ and is base64.')
  return bytes
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}

function concat(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}

function refused(code: WebhookRefusal): WebhookResult {
  return { valid: false, code }
}
