/**
 * Challenges for authenticators. A challenge proves by itself that this deployment made it, for which purpose, for which
 * browser and until when, so that showing a page writes nothing; that it was used is kept until it would have expired.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Clock, deriveKey } from '../../kernel/index.ts'
import type { Transaction } from '../../storage/index.ts'
import { hashOf } from '../session-secret.ts'
import { insertSpent } from './challenge-store.ts'

/** Registering is for one session; signing in is for whoever the browser belongs to. */
export type ChallengePurpose = 'sign_in' | `register ${string}`

const NONCE_BYTES = 16
const TIME_BYTES = 6
const TAG_BYTES = 32
/** As long as a page may stay open before its passkey is chosen. */
const LIFETIME_MS = 3_600_000

export class Challenges {
  readonly #key: Buffer
  readonly #clock: Clock

  constructor(rootSecret: string, clock: Clock) {
    this.#key = deriveKey(rootSecret, 'passkey challenges')
    this.#clock = clock
  }

  /** Base64url. `binding`: the value of the forms' cookie. */
  make(purpose: ChallengePurpose, binding: string): string {
    const head = Buffer.concat([randomBytes(NONCE_BYTES), Buffer.alloc(TIME_BYTES)])
    head.writeUIntBE(this.#clock.nowMs() + LIFETIME_MS, NONCE_BYTES, TIME_BYTES)
    return Buffer.concat([head, this.#tag(head, purpose, binding)]).toString('base64url')
  }

  /** Whether we made it for that, and it is not over. Whether it was used is what `spend` says. */
  isOurs(challenge: string, purpose: ChallengePurpose, binding: string): boolean {
    const bytes = Buffer.from(challenge, 'base64url')
    if (bytes.length !== NONCE_BYTES + TIME_BYTES + TAG_BYTES) return false
    // One spelling each: what was spent is kept by its text.
    if (bytes.toString('base64url') !== challenge) return false
    const head = bytes.subarray(0, NONCE_BYTES + TIME_BYTES)
    const tag = bytes.subarray(NONCE_BYTES + TIME_BYTES)
    return timingSafeEqual(tag, this.#tag(head, purpose, binding)) && expiryOf(bytes) > this.#clock.nowMs()
  }

  /** Of many at once, one spends it: the others, and all later ones, are answered false. */
  spend(tx: Transaction, challenge: string): Promise<boolean> {
    return insertSpent(tx, hashOf(challenge), expiryOf(Buffer.from(challenge, 'base64url')))
  }

  #tag(head: Buffer, purpose: ChallengePurpose, binding: string): Buffer {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([head.toString('base64url'), purpose, binding]))
      .digest()
  }
}

function expiryOf(bytes: Buffer): number {
  return bytes.readUIntBE(NONCE_BYTES, TIME_BYTES)
}
