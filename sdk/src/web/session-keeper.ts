/**
 * Keeps sessions between requests: sealed in the cookie itself, or in a store with a random id in the cookie. Both are
 * HttpOnly: a script sees neither.
 */
import { encodeBase64url } from '../base64url.ts'
import type { Clock } from '../clock.ts'
import { type CookieNames, chunkNames, chunksOf, cookieText, joinChunks } from './cookies.ts'
import { createSealer } from './seal.ts'
import type { Session } from './session.ts'
import type { WebConfig } from './web-options.ts'

type Cookies = ReadonlyMap<string, string>

export interface SessionKeeper {
  /** Whether there is anything to open. */
  isPresent(cookies: Cookies): boolean
  read(cookies: Cookies): Promise<Session | undefined>
  /** After a sign-in: under a new id, so that nobody who knew an earlier one knows this. Answers the cookies to set. */
  start(session: Session, cookies: Cookies): Promise<string[]>
  /** After a refresh. */
  renew(session: Session, cookies: Cookies): Promise<string[]>
  end(cookies: Cookies): Promise<string[]>
}

export function createSessionKeeper(config: WebConfig, names: CookieNames, clock: Clock): SessionKeeper {
  const sealer = createSealer<Session>(config.keys, `session ${config.clientId}`, clock)
  const name = names.session
  const { store, sameSite } = config

  const cookie = (of: string, value: string, endsAtMs: number): string =>
    cookieText(of, value, {
      secure: names.secure,
      sameSite,
      maxAgeSeconds: Math.max(0, Math.floor((endsAtMs - clock.nowMs()) / 1000)),
    })
  /** Those that are there and not among the new ones. */
  const withoutOld = (cookies: Cookies, fresh: readonly string[]): string[] =>
    chunkNames(name)
      .filter((old) => cookies.has(old) && !fresh.includes(old))
      .map((old) => cookie(old, '', 0))

  async function inCookies(session: Session, cookies: Cookies): Promise<string[]> {
    const chunks = chunksOf(name, await sealer.seal(session, session.endsAtMs))
    if (!chunks) throw new Error('The tokens are too large for cookies: give createWeb a store.')
    return [
      ...[...chunks].map(([chunkName, value]) => cookie(chunkName, value, session.endsAtMs)),
      ...withoutOld(cookies, [...chunks.keys()]),
    ]
  }

  if (!store)
    return {
      isPresent: (cookies) => cookies.has(name),
      async read(cookies) {
        const text = joinChunks(name, cookies)
        return text === undefined ? undefined : sealer.open(text)
      },
      start: inCookies,
      renew: inCookies,
      end: async (cookies) => withoutOld(cookies, []),
    }

  return {
    isPresent: (cookies) => cookies.has(name),
    async read(cookies) {
      const key = await keyOf(cookies.get(name))
      const text = key === undefined ? undefined : await store.read(key)
      return text === undefined ? undefined : sealer.open(text)
    },
    async start(session, cookies) {
      const before = await keyOf(cookies.get(name))
      if (before !== undefined) await store.delete(before)
      const id = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)))
      await store.write((await keyOf(id)) as string, {
        value: await sealer.seal(session, session.endsAtMs),
        sub: session.user.sub,
        sid: session.sid,
        endsAtMs: session.endsAtMs,
      })
      return [cookie(name, id, session.endsAtMs), ...withoutOld(cookies, [name])]
    },
    async renew(session, cookies) {
      const key = await keyOf(cookies.get(name))
      if (key !== undefined) await store.replace(key, await sealer.seal(session, session.endsAtMs))
      return []
    },
    async end(cookies) {
      const key = await keyOf(cookies.get(name))
      if (key !== undefined) await store.delete(key)
      return withoutOld(cookies, [])
    },
  }
}

/** A digest: what the store holds is of no use as a cookie. */
async function keyOf(id: string | undefined): Promise<string | undefined> {
  if (id === undefined || !/^[A-Za-z0-9_-]{43}$/.test(id)) return undefined
  return encodeBase64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(id))))
}
