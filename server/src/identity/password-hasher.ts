/**
 * Hashing, a few at a time. Each hash takes memory and a thread that the rest of the process needs too, so what waits is
 * bounded: beyond it an attempt is refused at once, which costs nothing, instead of being promised an answer.
 */
import { PosternError } from '../kernel/index.ts'
import { parseImportedHash } from './imported-hashes/imported-hash.ts'
import {
  CURRENT_PARAMETERS,
  hashPassword,
  hasParameters,
  type HashParameters,
  impossibleHash,
  matchesHash,
  parseHash,
} from './password-hash.ts'

export interface HasherOptions {
  readonly parameters?: HashParameters
  /** How many run at once. libuv has four threads for everything unless told otherwise: two leave the others theirs. */
  readonly running?: number
  /** How many may wait for their turn. */
  readonly waiting?: number
}

export class PasswordHasher {
  readonly #parameters: HashParameters
  readonly #mostRunning: number
  readonly #mostWaiting: number
  readonly #waiting: (() => void)[] = []
  #running = 0
  #done = 0

  constructor({ parameters = CURRENT_PARAMETERS, running = 2, waiting = 32 }: HasherOptions = {}) {
    this.#parameters = parameters
    this.#mostRunning = running
    this.#mostWaiting = waiting
  }

  /** How many hashes were computed: what a metric shows, and how a test sees that two answers cost the same. */
  get computed(): number {
    return this.#done
  }

  /** Throws `too_many_requests` when too many wait. `password` is normalised. */
  hash(password: string): Promise<string> {
    return this.#inTurn(() => hashPassword(password, this.#parameters))
  }

  /**
   * Whether it is the password of `encoded`. Without a hash to compare with, the same work is done for nothing, so that
   * no answer and no clock tells whether there is one. Throws `too_many_requests` when too many wait.
   */
  matches(password: string, encoded: string | null | undefined): Promise<boolean> {
    const hash = typeof encoded === 'string' ? parseHash(encoded) : undefined
    const imported = typeof encoded === 'string' && !hash ? parseImportedHash(encoded) : undefined
    if (imported) return this.#inTurn(() => imported(password))
    return this.#inTurn(() => matchesHash(password, hash ?? impossibleHash(this.#parameters)))
  }

  /** Whether a matching password should be hashed anew. */
  isOutdated(encoded: string): boolean {
    const hash = parseHash(encoded)
    // An imported one is none of ours.
    return hash === undefined || !hasParameters(hash, this.#parameters)
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#mostRunning) await this.#turn()
    else this.#running++
    try {
      return await work()
    } finally {
      this.#done++
      // The place is handed over, not given up: nobody who comes now overtakes whoever waits.
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= this.#mostWaiting)
      throw new PosternError('too_many_requests', 'Too many people are signing in at this moment.', {
        retryAfterSeconds: 2,
      })
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
