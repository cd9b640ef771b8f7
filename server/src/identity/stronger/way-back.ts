/**
 * The way back to a waiting application from the account's pages, where its user went to add what it asks for. The place
 * is kept here, for this browser; the cookie has a secret alone, so that no link can make an account lead anywhere.
 */
import { cookieText, readCookie } from '../cookies.ts'
import type { BrowserRequest } from '../current-session.ts'
import type { IdentityContext } from '../identity-context.ts'
import { findTicket, issueTicket } from '../tickets/tickets.ts'

/** As long as the engine keeps what waits. */
const LIFETIME_MS = 3_600_000

export interface WayBack {
  /** A path of ours. */
  readonly href: string
  /** What the application calls itself. */
  readonly name: string
}

/** Answers the cookie to set. */
export async function keepWayBack(
  { storage, changes, cookies }: IdentityContext,
  { href, name, userId, binding }: WayBack & { readonly userId: string; readonly binding: string },
): Promise<string> {
  const secret = await storage.write((tx) =>
    issueTicket(tx, changes.clock, 'way_back', {
      binding,
      userId,
      data: { href, name },
      lifetimeMs: LIFETIME_MS,
    }),
  )
  return cookieText(cookies, cookies.back, secret, LIFETIME_MS / 1000)
}

/** Undefined when no application waits for this person in this browser. */
export async function wayBackOf(
  { storage, changes, cookies, forms }: IdentityContext,
  { headers }: Pick<BrowserRequest, 'headers'>,
  userId: string,
): Promise<WayBack | undefined> {
  const secret = readCookie(headers['cookie'], cookies.back)
  const binding = forms.bindingOf(headers)
  if (secret === undefined || binding === undefined) return undefined
  const ticket = await findTicket(storage, changes.clock, 'way_back', { secret, binding })
  if (ticket?.userId !== userId) return undefined
  return { href: String(ticket.data['href']), name: String(ticket.data['name']) }
}
