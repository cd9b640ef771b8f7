/** Who sent a report: ECDSA on P-256 with SHA-256, over the body's bytes as they came. */
import { verify } from 'node:crypto'
import { PosternError } from '../kernel/index.ts'
import type { SenderKeys } from './sender-keys.ts'

const LONGEST_HEADER = 200

export interface SignedReport {
  readonly keyIdentifier: unknown
  readonly signature: unknown
  readonly body: Buffer
}

/** Whether the sender of these keys signed it. Throws `upstream_unavailable` while nobody can say. */
export async function isSentBy(keys: SenderKeys | undefined, report: SignedReport): Promise<boolean> {
  const { keyIdentifier, signature, body } = report
  if (!keys || !isShort(keyIdentifier) || !isShort(signature)) return false
  const key = await keys.keyFor(keyIdentifier)
  if (key === 'unavailable')
    throw new PosternError(
      'upstream_unavailable',
      'The keys that would prove this report cannot be fetched.',
      {
        retryAfterSeconds: 60,
      },
    )
  return key !== 'unknown' && verify('sha256', body, key, Buffer.from(signature, 'base64'))
}

function isShort(header: unknown): header is string {
  return typeof header === 'string' && header !== '' && header.length <= LONGEST_HEADER
}
