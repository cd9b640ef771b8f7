/**
 * A secret between being shown and being turned on: sealed into the form, for one session and a while, so that what
 * nobody turns on is kept nowhere.
 */
import { type Clock, deriveKey, open, seal } from '../../kernel/index.ts'

const LIFETIME_MS = 30 * 60_000
const TIME_BYTES = 6

export class OfferedSecrets {
  readonly #key: Buffer
  readonly #clock: Clock

  constructor(rootSecret: string, clock: Clock) {
    this.#key = deriveKey(rootSecret, 'offered one-time code secrets')
    this.#clock = clock
  }

  seal(sessionId: string, secret: Uint8Array): string {
    const until = Buffer.alloc(TIME_BYTES)
    until.writeUIntBE(this.#clock.nowMs() + LIFETIME_MS, 0, TIME_BYTES)
    return seal(this.#key, Buffer.concat([until, secret]), sessionId)
  }

  /** Undefined when it is over, another session's, or not ours. */
  open(sessionId: string, sealed: string): Buffer | undefined {
    let bytes: Buffer
    try {
      bytes = open(this.#key, sealed, sessionId)
    } catch {
      return undefined
    }
    return bytes.readUIntBE(0, TIME_BYTES) > this.#clock.nowMs() ? bytes.subarray(TIME_BYTES) : undefined
  }
}
