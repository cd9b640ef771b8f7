/**
 * Tickets: what is begun in one browser and finished there once. A sign-in between its two factors, a link in an e-mail,
 * a trip to another provider. The secret is 256 random bits of which the database has the hash; a ticket in another
 * browser's hands, of another kind, over or used is no ticket, and which of these it is nobody learns.
 */
import type { Clock } from '../../kernel/index.ts'
import type { Storage, Transaction } from '../../storage/index.ts'
import { hashOf, newSessionSecret } from '../session-secret.ts'
import {
  countTry,
  deleteTicket,
  insertTicket,
  lockTicket,
  selectTicket,
  takeTicketRow,
  type TicketKey,
} from './ticket-store.ts'

export type TicketKind =
  | 'second_factor'
  | 'sign_in_link'
  | 'reset'
  | 'verify_email'
  | 'sign_up'
  | 'upstream'
  | 'link_upstream'
  | 'way_back'

export interface Ticket {
  /** Undecided until it is finished where there is no user yet. */
  readonly userId: string | null
  /** Written by us; nothing in it is secret. */
  readonly data: Readonly<Record<string, unknown>>
  /** How often it was tried in vain. */
  readonly tries: number
  readonly expiresAtMs: number
}

/** A ticket as a browser brings it. */
export interface Presented {
  readonly secret: string
  /** What binds the browser: the value of the forms' cookie. */
  readonly binding: string
}

/** Answers the secret, for that browser and nobody else. */
export async function issueTicket(
  tx: Transaction,
  clock: Clock,
  kind: TicketKind,
  {
    binding,
    userId,
    data = {},
    lifetimeMs,
  }: {
    readonly binding: string
    readonly userId: string | null
    readonly data?: Readonly<Record<string, unknown>>
    readonly lifetimeMs: number
  },
): Promise<string> {
  const { value, hash } = newSessionSecret()
  const nowMs = clock.nowMs()
  const key = { kind, secretHash: hash, browserHash: hashOf(binding), nowMs }
  await insertTicket(tx, key, { userId, data, expiresAtMs: nowMs + lifetimeMs })
  return value
}

/** Looks at a ticket without using it: for the page that asks whether to go on. */
export function findTicket(
  storage: Storage,
  clock: Clock,
  kind: TicketKind,
  presented: Presented,
): Promise<Ticket | undefined> {
  return selectTicket(storage, keyOf(clock, kind, presented))
}

/** Takes it: of many at once one has it, and afterwards nobody. */
export function takeTicket(
  tx: Transaction,
  clock: Clock,
  kind: TicketKind,
  presented: Presented,
): Promise<Ticket | undefined> {
  return takeTicketRow(tx, keyOf(clock, kind, presented))
}

/**
 * For what may be tried a few times: holds the ticket while `attempt` decides. True uses it up; false counts, and after
 * `mostTries` it is gone. Undefined when there was none.
 */
export async function tryTicket(
  tx: Transaction,
  clock: Clock,
  kind: TicketKind,
  presented: Presented,
  mostTries: number,
  attempt: (ticket: Ticket) => Promise<boolean>,
): Promise<Ticket | undefined> {
  const key = keyOf(clock, kind, presented)
  const ticket = await lockTicket(tx, key)
  if (!ticket) return undefined
  const done = await attempt(ticket)
  if (done || ticket.tries + 1 >= mostTries) await deleteTicket(tx, key.secretHash)
  else await countTry(tx, key.secretHash)
  return ticket
}

function keyOf(clock: Clock, kind: TicketKind, { secret, binding }: Presented): TicketKey {
  return { kind, secretHash: hashOf(secret), browserHash: hashOf(binding), nowMs: clock.nowMs() }
}
