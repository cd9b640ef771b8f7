/** Seals the private parts of signing keys under the root secret. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { deriveKey, open, seal } from '../kernel/index.ts'

export class KeySealer {
  readonly #key: Buffer

  constructor(rootSecret: string) {
    this.#key = deriveKey(rootSecret, 'signing key sealing')
  }

  seal(kid: string, privateDer: Uint8Array): string {
    return seal(this.#key, privateDer, contextOf(kid))
  }

  /** Throws when it was sealed under another root secret, or for another key. */
  open(kid: string, sealed: string): Buffer {
    try {
      return open(this.#key, sealed, contextOf(kid))
    } catch (cause) {
      throw new Error(
        `The signing key ${kid} cannot be opened: it was sealed under another root secret. Set POSTERN_ROOT_SECRET to that one.`,
        { cause },
      )
    }
  }

  openKey(kid: string, sealed: string): KeyObject {
    return createPrivateKey({ key: this.open(kid, sealed), format: 'der', type: 'pkcs8' })
  }
}

function contextOf(kid: string): string {
  return `signing key ${kid}`
}
