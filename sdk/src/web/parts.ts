/** What every handler is given. */
import type { Clock } from '../clock.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import type { CookieNames } from './cookies.ts'
import type { PendingSignIns } from './pending-sign-ins.ts'
import type { Refresher } from './refresher.ts'
import type { SessionKeeper } from './session-keeper.ts'
import type { WebConfig } from './web-options.ts'

export interface WebParts {
  readonly config: WebConfig
  readonly clock: Clock
  readonly names: CookieNames
  readonly server: AuthorizationServer
  readonly pending: PendingSignIns
  readonly sessions: SessionKeeper
  readonly refresher: Refresher
}
