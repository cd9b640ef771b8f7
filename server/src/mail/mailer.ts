/**
 * The outbox at work. An e-mail is kept sealed in the transaction that it tells of, so that neither is there without the
 * other; it is sent afterwards, with a minute between tries, by whichever process comes first. One that cannot
 * be sent within an hour is given up: what it holds is over by then.
 */
import { randomBytes } from 'node:crypto'
import { type Clock, deriveKey, open, seal } from '../kernel/index.ts'
import { type Storage, StorageUnavailable, type Transaction } from '../storage/index.ts'
import type { Message } from './message.ts'
import {
  deleteOldMail,
  deleteOutbox,
  insertOutbox,
  type OutboxRow,
  selectOutbox,
  takeDue,
} from './outbox-store.ts'

export interface MailTransport {
  /** Throws when the server did not take it. */
  send(message: Message): Promise<void>
}

export interface MailerOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly rootSecret: string
  /** Undefined: e-mails stay in the outbox, for the operator to read. */
  readonly transport: MailTransport | undefined
  readonly onFailure: (error: unknown) => void
}

const LOOK_MS = 5_000
const WAIT_MS = 60_000
const GIVE_UP_MS = 3_600_000
/** Where nobody sends them they are read instead, for a day. */
const KEEP_UNSENT_MS = 86_400_000
const MOST_AT_ONCE = 50

export class Mailer {
  readonly #options: MailerOptions
  readonly #key: Buffer
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined

  constructor(options: MailerOptions) {
    this.#options = options
    this.#key = deriveKey(options.rootSecret, 'outbox')
  }

  get sends(): boolean {
    return this.#options.transport !== undefined
  }

  start(): void {
    if (this.sends) this.#timer = setInterval(() => void this.flush().catch(() => {}), LOOK_MS).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#sending
  }

  /** Written with the rest of the transaction; `flush` once it has committed. */
  async put(tx: Transaction, message: Message): Promise<void> {
    const id = randomBytes(16).toString('base64url')
    const sealed = seal(this.#key, JSON.stringify(message), id)
    await insertOutbox(tx, { id, sealed, nowMs: this.#options.clock.nowMs() })
  }

  /** Sends what is due. Never throws for a server that does not answer: it is tried again. */
  async flush(): Promise<void> {
    await this.#sending
    this.#sending = this.#send().finally(() => (this.#sending = undefined))
    await this.#sending
  }

  /** For the operator, in development: newest first. */
  async read(): Promise<(Message & { readonly createdAtMs: number })[]> {
    const rows = await selectOutbox(this.#options.storage, MOST_AT_ONCE)
    return rows.flatMap((row) => {
      const message = this.#open(row)
      return message ? [{ ...message, createdAtMs: row.createdAtMs }] : []
    })
  }

  /** Sweeps what nobody reads any more: for upkeep. */
  async purge(): Promise<void> {
    const { storage, clock } = this.#options
    const keepMs = this.sends ? GIVE_UP_MS : KEEP_UNSENT_MS
    await storage.write((tx) => deleteOldMail(tx, clock.nowMs() - keepMs))
  }

  async #send(): Promise<void> {
    const { storage, clock, transport, onFailure } = this.#options
    if (!transport) return
    try {
      for (let count = 0; count < MOST_AT_ONCE; count++) {
        const nowMs = clock.nowMs()
        const row = await storage.write((tx) => takeDue(tx, nowMs, nowMs + WAIT_MS))
        if (!row) return
        const message = this.#open(row)
        try {
          if (message && nowMs - row.createdAtMs < GIVE_UP_MS) await transport.send(message)
        } catch (error) {
          onFailure(error)
          continue
        }
        await storage.write((tx) => deleteOutbox(tx, row.id))
      }
    } catch (error) {
      if (!(error instanceof StorageUnavailable)) throw error
    }
  }

  /** Undefined when it was sealed under a root secret that is gone. */
  #open({ id, sealed }: OutboxRow): Message | undefined {
    try {
      return JSON.parse(open(this.#key, sealed, id).toString()) as Message
    } catch {
      return undefined
    }
  }
}
