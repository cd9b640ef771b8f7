/** What happens after a decision, never before the reply: last use, refusals counted, hashes moved, metrics. */
import type { KeyUse } from '../api-keys/index.ts'
import type { ActivityLog } from '../audit/index.ts'
import { coarseNetwork, DEPLOYMENT_TENANT } from '../kernel/index.ts'
import type { Decision } from './verify.ts'

export interface DecisionContext {
  /** A route's pattern or name, never a path that was called. */
  readonly route: string
  readonly ip?: string | undefined
}

export class DecisionMeter {
  readonly #keyUse: KeyUse
  readonly #activity: ActivityLog
  readonly #count: (code: string) => void

  /** `count` gets `valid` or the denial's code. */
  constructor(keyUse: KeyUse, activity: ActivityLog, count: (code: string) => void) {
    this.#keyUse = keyUse
    this.#activity = activity
    this.#count = count
  }

  note(decision: Decision, context: DecisionContext): void {
    this.#count(decision.denial?.code ?? 'valid')
    this.noteCaller(decision, context)
  }

  /** The same for a caller of this server's own API, which is not one of the decisions that are counted. */
  noteCaller({ denial, presented }: Decision, { route, ip }: DecisionContext): void {
    if (!denial && presented) {
      const { id, type } = presented.principal.credential
      if (type !== 'api_key') return
      this.#keyUse.note(id, ip)
      if (presented.rehash) this.#keyUse.rehash(id, presented.rehash.from, presented.rehash.to)
      return
    }
    if (!denial) return
    const tenant = presented?.principal.tenant
    this.#activity.record({
      kind: denial.code.startsWith('exposed_') ? 'exposed' : 'denial',
      code: denial.code,
      route,
      network: ip === undefined ? 'unknown' : coarseNetwork(ip),
      tenant: tenant === DEPLOYMENT_TENANT ? undefined : tenant,
      credential: presented?.principal.credential.id,
    })
  }
}
