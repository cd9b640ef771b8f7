/** What happens after a decision, never before the reply: last use, refusals counted, hashes moved, metrics. */
import type { KeyUse } from '../api-keys/index.ts'
import type { ActivityLog } from '../audit/index.ts'
import { coarseNetwork, DEPLOYMENT_TENANT } from '../kernel/index.ts'
import type { UsageMeter } from '../usage/index.ts'
import type { Decision } from './verify.ts'

export interface DecisionContext {
  /** A route's pattern or name, never a path that was called. */
  readonly route: string
  readonly ip?: string | undefined
  /** Those that were asked for. */
  readonly scopes?: readonly string[]
}

export interface DecisionMeterPorts {
  readonly keyUse: KeyUse
  readonly activity: ActivityLog
  readonly usage: UsageMeter
  /** Gets `valid` or the denial's code. */
  count(code: string): void
}

const NO_SCOPES: readonly string[] = []

export class DecisionMeter {
  readonly #ports: DecisionMeterPorts

  constructor(ports: DecisionMeterPorts) {
    this.#ports = ports
  }

  note(decision: Decision, context: DecisionContext): void {
    const result = decision.denial?.code ?? 'valid'
    this.#ports.count(result)
    this.#ports.usage.note({
      used: decision.presented,
      route: context.route,
      result,
      address: context.ip,
      scopes: context.scopes ?? NO_SCOPES,
    })
    this.noteCaller(decision, context)
  }

  /** The same for a caller of this server's own API, which is not one of the decisions that are counted. */
  noteCaller({ denial, presented }: Decision, { route, ip }: DecisionContext): void {
    if (!denial && presented) {
      const { id, type } = presented.principal.credential
      if (type !== 'api_key') return
      this.#ports.keyUse.note(id, ip)
      if (presented.rehash) this.#ports.keyUse.rehash(id, presented.rehash.from, presented.rehash.to)
      return
    }
    if (!denial) return
    const tenant = presented?.principal.tenant
    this.#ports.activity.record({
      kind: denial.code.startsWith('exposed_') ? 'exposed' : 'denial',
      code: denial.code,
      route,
      network: ip === undefined ? 'unknown' : coarseNetwork(ip),
      tenant: tenant === DEPLOYMENT_TENANT ? undefined : tenant,
      credential: presented?.principal.credential.id,
    })
  }
}
