/** The handlers of one application, and the session that its guards take. */
import type { BrowserSession } from '../browser-session.ts'
import type { Clock } from '../clock.ts'
import { type CredentialRequest, headerOf } from '../presented.ts'
import { authorizationServer } from './authorization-server.ts'
import { backchannelLogout } from './backchannel-logout.ts'
import { callback } from './callback.ts'
import { cookieNames, readCookies } from './cookies.ts'
import type { Answer, Incoming } from './incoming.ts'
import { login } from './login.ts'
import { logout } from './logout.ts'
import type { WebParts } from './parts.ts'
import { createPendingSignIns } from './pending-sign-ins.ts'
import { presentSession } from './present-session.ts'
import { problem } from './problem.ts'
import { pathOfUrl } from './query.ts'
import { refresh } from './refresh.ts'
import { createRefresher } from './refresher.ts'
import { createSessionKeeper } from './session-keeper.ts'
import type { SignedInUser } from './session.ts'
import { showSession } from './show-session.ts'
import type { WebConfig } from './web-options.ts'

export interface Web extends BrowserSession {
  /** Where the handlers are: `/auth`. */
  readonly path: string
  /**
   * Answers a request for one of the handlers; undefined: it is for something else. The functions for the frameworks call
   * this; a framework without one can, too.
   */
  handle(incoming: Incoming): Promise<Answer | undefined>
  /**
   * Who is signed in, for pages that show a name. It opens the cookie and asks nobody: a session that was ended at Postern
   * is still named until its access token is. What may be read or changed is decided by a guard.
   */
  user(request: CredentialRequest): Promise<SignedInUser | undefined>
}

type Handler = (parts: WebParts, incoming: Incoming) => Promise<Answer>

export function buildWeb(config: WebConfig, clock: Clock): Web {
  const names = cookieNames(config)
  const server = authorizationServer(config)
  const parts: WebParts = {
    config,
    clock,
    names,
    server,
    pending: createPendingSignIns(config, names, clock),
    sessions: createSessionKeeper(config, names, clock),
    refresher: createRefresher(server, clock),
  }
  const routes: Readonly<Record<string, { readonly method: 'GET' | 'POST'; readonly handler: Handler }>> = {
    login: { method: 'GET', handler: login },
    callback: { method: 'GET', handler: callback },
    session: { method: 'GET', handler: showSession },
    refresh: { method: 'POST', handler: refresh },
    logout: { method: 'POST', handler: logout },
    'backchannel-logout': { method: 'POST', handler: backchannelLogout() },
  }

  return {
    ...presentSession(parts),
    path: config.path,
    async handle(incoming) {
      const path = pathOfUrl(incoming.url)
      if (!path.startsWith(`${config.path}/`)) return undefined
      const name = path.slice(config.path.length + 1)
      const route = Object.hasOwn(routes, name) ? routes[name] : undefined
      if (!route) return problem('not_found')
      if (incoming.method !== route.method) {
        const refused = problem('method_not_allowed')
        return { ...refused, headers: [...refused.headers, ['allow', route.method]] }
      }
      return route.handler(parts, incoming)
    },
    async user(request) {
      const session = await parts.sessions.read(readCookies(headerOf(request, 'cookie')))
      return session?.user
    },
  }
}
