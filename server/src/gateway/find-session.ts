/**
 * From a host's session to what verify judges. It has no life of its own: whatever ends the sign-in that it descends
 * from (signing out, an operator, a disabled user) ends it, and the feed tells of it by that session's id.
 */
import { type Clock, denial, type Denial, type Presented } from '../kernel/index.ts'
import {
  findLiveSession,
  findUser,
  membershipOf,
  type Membership,
  type Session,
  tenantsOf,
} from '../identity/index.ts'
import { findResource } from '../resources/index.ts'
import { feedRef } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import type { SessionFinder } from '../verify/index.ts'
import { hashOfCredential, isSessionCredential } from './browser-hosts.ts'
import { selectAppSession } from './session-store.ts'

export class AppSessions implements SessionFinder {
  readonly #storage: Storage
  readonly #clock: Clock
  /** Notes the use of a session, so that one at work does not end as idle. */
  onUse: ((session: Session, ip: string) => void) | undefined

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
  }

  isSession(text: string): boolean {
    return isSessionCredential(text)
  }

  async find(text: string, asked: Parameters<SessionFinder['find']>[1]): Promise<Presented | Denial> {
    const storage = this.#storage
    const sessionId = await selectAppSession(storage, hashOfCredential(text))
    if (sessionId === undefined) return denial('unknown')
    const session = await findLiveSession(storage, sessionId, this.#clock.nowMs())
    if (!session) return denial('revoked')
    if (asked.resource === undefined) return denial('wrong_resource')
    const [user, resource, membership] = await Promise.all([
      findUser(storage, session.userId),
      findResource(storage, asked.resource),
      this.#membership(session.userId, asked.tenant),
    ])
    if (!user) return denial('revoked')
    if (!resource) return denial('wrong_resource')
    if (!membership) return denial('wrong_tenant')
    if (asked.ip !== undefined) this.onUse?.(session, asked.ip)
    return {
      principal: {
        sub: user.id,
        subType: 'user',
        tenant: membership.tenantId,
        resource: resource.uri,
        // A person acts for themselves: what they may do in a tenant is said by their roles.
        scopes: resource.scopes.map(({ name }) => name),
        roles: membership.roles,
        credential: { type: 'session', id: session.id, environment: 'live' },
        sessionId: session.id,
        acr: session.acr,
        amr: session.amr,
        authTimeMs: session.authTimeMs,
        expiresAtMs: session.expiresAtMs,
      },
      resourceId: resource.id,
      revoked: false,
      disabled: user.disabledAtMs !== null || membership.tenantDisabled,
      notBeforeMs: null,
      expiresAtMs: session.expiresAtMs,
      ipAllow: [],
      ipAllowText: [],
      allowBrowser: true,
      cacheSeconds: resource.cacheSeconds,
      refs: [
        feedRef('session', session.id),
        feedRef('subject', user.id),
        feedRef('tenant', membership.tenantId),
        feedRef('resource', resource.id),
      ],
    }
  }

  /** The tenant that was named; without a name the only one, since a choice would be a guess. */
  async #membership(userId: string, tenantId: string | undefined): Promise<Membership | undefined> {
    if (tenantId !== undefined) return membershipOf(this.#storage, userId, tenantId)
    const all = await tenantsOf(this.#storage, userId)
    return all.length === 1 ? all[0] : undefined
  }
}
