/**
 * Sessions on the server. What a store is given is sealed already, and the key is a digest: whoever reads the store can
 * neither use a session nor see a token.
 */

export interface StoredSession {
  /** Sealed. */
  readonly value: string
  /** Whose it is, and the session at Postern: by these `endAll` finds it. */
  readonly sub: string
  readonly sid: string | undefined
  /** Unix milliseconds; afterwards it may be dropped. */
  readonly endsAtMs: number
}

/** To be implemented on a database of yours. Every write is there for every process when it has resolved. */
export interface SessionStore {
  read(key: string): Promise<string | undefined>
  write(key: string, session: StoredSession): Promise<void>
  /** Only where there is one: a refresh that comes late must not bring a session back. */
  replace(key: string, value: string): Promise<void>
  delete(key: string): Promise<void>
  /** Of one session at Postern, or, without `sid`, all sessions of the user. */
  endAll(whose: { readonly sub?: string; readonly sid?: string }): Promise<void>
}

/** Keeps sessions in this process; the oldest go first when there are `capacity` (default 10,000). */
export function memoryStore({ capacity = 10_000 }: { readonly capacity?: number } = {}): SessionStore {
  const sessions = new Map<string, StoredSession>()
  return {
    async read(key) {
      const session = sessions.get(key)
      if (session && session.endsAtMs <= Date.now()) sessions.delete(key)
      return sessions.get(key)?.value
    },
    async write(key, session) {
      sessions.delete(key)
      for (const oldest of sessions.keys()) {
        if (sessions.size < capacity) break
        sessions.delete(oldest)
      }
      sessions.set(key, session)
    },
    async replace(key, value) {
      const session = sessions.get(key)
      if (session) sessions.set(key, { ...session, value })
    },
    async delete(key) {
      sessions.delete(key)
    },
    async endAll({ sub, sid }) {
      for (const [key, session] of sessions) {
        const isMeant = sid === undefined ? session.sub === sub : session.sid === sid
        if (isMeant && (sub === undefined || session.sub === sub)) sessions.delete(key)
      }
    },
  }
}
