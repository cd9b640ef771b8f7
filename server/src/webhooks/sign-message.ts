/**
 * The headers of Standard Webhooks 1.0: HMAC-SHA256 over `<id>.<timestamp>.<body>`, one signature for each secret that is
 * good, so that a receiver with the old or the new one is content.
 */
import { createHmac } from 'node:crypto'

export interface Message {
  readonly id: string
  readonly body: string
}

export function signatureHeaders(
  { id, body }: Message,
  secrets: readonly Uint8Array[],
  nowMs: number,
): Record<string, string> {
  const timestamp = Math.floor(nowMs / 1000)
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  )
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  }
}
