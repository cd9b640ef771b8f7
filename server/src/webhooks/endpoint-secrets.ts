/** Secrets of endpoints: made here, shown once, sealed at rest, since signing needs them whole. */
import { randomBytes } from 'node:crypto'
import { type Clock, deriveKey, encodeBase62, open, randomBase62, seal } from '../kernel/index.ts'
import type { Transaction } from '../storage/index.ts'
import type { EndpointSecret } from './endpoint.ts'
import { selectAllSecrets, updateSecrets } from './store.ts'

const BYTES = 32

export class SecretSealer {
  readonly #key: Buffer

  constructor(rootSecret: string) {
    this.#key = deriveKey(rootSecret, 'webhook secret sealing')
  }

  seal(id: string, secret: Uint8Array): string {
    return seal(this.#key, secret, `webhook secret ${id}`)
  }

  open(id: string, sealed: string): Buffer {
    return open(this.#key, sealed, `webhook secret ${id}`)
  }

  /** A new one, with its text as Standard Webhooks writes it. */
  make(clock: Clock): { readonly secret: EndpointSecret; readonly text: string } {
    const id = `sec_${encodeBase62(clock.nowMs(), 8)}${randomBase62(6)}`
    const bytes = randomBytes(BYTES)
    const secret = { id, sealed: this.seal(id, bytes), createdAtMs: clock.nowMs(), expiresAtMs: null }
    return { secret, text: `whsec_${bytes.toString('base64')}` }
  }
}

/** Seals every secret anew, under another root secret: offline, in the transaction that changes it. */
export async function resealWebhookSecrets(
  tx: Transaction,
  oldSecret: string,
  newSecret: string,
): Promise<number> {
  const [before, after] = [new SecretSealer(oldSecret), new SecretSealer(newSecret)]
  let count = 0
  for (const { id, secrets } of await selectAllSecrets(tx)) {
    const resealed = secrets.map((one) => ({
      ...one,
      sealed: after.seal(one.id, before.open(one.id, one.sealed)),
    }))
    await updateSecrets(tx, id, resealed)
    count += secrets.length
  }
  return count
}
