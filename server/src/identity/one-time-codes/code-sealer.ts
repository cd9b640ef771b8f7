/** Seals the secrets of one-time codes under the root secret, each for its user. */
import { deriveKey, open, seal } from '../../kernel/index.ts'

export class CodeSealer {
  readonly #key: Buffer

  constructor(rootSecret: string) {
    this.#key = deriveKey(rootSecret, 'one-time code sealing')
  }

  seal(userId: string, secret: Uint8Array): string {
    return seal(this.#key, secret, `one-time codes ${userId}`)
  }

  /** Throws when it was sealed under another root secret, or for another user. */
  open(userId: string, sealed: string): Buffer {
    return open(this.#key, sealed, `one-time codes ${userId}`)
  }
}
