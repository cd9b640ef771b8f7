/**
 * What the upstream learns: plain headers, and the signed token beside them. Every one of them is in every 200, empty
 * where it does not apply, so that a value of the client's own never survives.
 *
 * They are put together once for each credential and upstream. A credential that is dropped from verify's cache comes
 * back as another object, so what is kept here ends with it, without a rule of its own.
 */
import type { Clock, Presented, Principal } from '../kernel/index.ts'
import type { SigningKeys } from '../tokens/index.ts'
import { IDENTITY_SECONDS, mintIdentityToken } from './identity-token.ts'
import { type AnswerHead, answerHead } from './send-allowed.ts'

type Column = readonly [name: string, of: (principal: Principal) => string]

const COLUMNS: readonly Column[] = [
  ['Postern-Subject', ({ sub }) => sub],
  ['Postern-Subject-Type', ({ subType }) => subType],
  ['Postern-Tenant', ({ tenant }) => tenant],
  ['Postern-Scopes', ({ scopes }) => scopes.join(' ')],
  ['Postern-Roles', ({ roles }) => roles.join(' ')],
  ['Postern-Credential', ({ credential }) => credential.id],
  ['Postern-Credential-Type', ({ credential }) => credential.type],
  ['Postern-Client', ({ clientId }) => clientId ?? ''],
]
const TOKEN_HEADER = 'Postern-Identity'

/** In the order in which answers have them. */
export const IDENTITY_HEADERS: readonly string[] = [...COLUMNS.map(([name]) => name), TOKEN_HEADER]

const FIXED = ['Cache-Control', 'no-store', 'Content-Length', '0'] as const

/** The answer to whoever comes without a credential to a route that is open. */
export const NOBODY: AnswerHead = answerHead([...FIXED, ...IDENTITY_HEADERS.flatMap((name) => [name, ''])])

interface Kept {
  readonly head: AnswerHead
  readonly untilMs: number
  readonly generation: number
}

export interface IdentityPorts {
  readonly signingKeys: SigningKeys
  readonly clock: Clock
  readonly issuer: string
}

export class IdentityHeaders {
  readonly #ports: IdentityPorts
  readonly #kept = new WeakMap<Presented, Map<string, Kept>>()
  /** A token that was signed by a key which has ended since is not handed out again. */
  #generation = 0
  readonly stop: () => void

  constructor(ports: IdentityPorts) {
    this.#ports = ports
    this.stop = ports.signingKeys.onChange(() => this.#generation++)
  }

  of(presented: Presented, audience: string, position: number): AnswerHead {
    const nowMs = this.#ports.clock.monotonicMs()
    let byAudience = this.#kept.get(presented)
    const kept = byAudience?.get(audience)
    if (kept && kept.untilMs > nowMs && kept.generation === this.#generation) return kept.head
    if (!byAudience) this.#kept.set(presented, (byAudience = new Map()))
    else if (byAudience.size >= MOST_UPSTREAMS) byAudience.clear()
    const made = this.#make(presented, audience, position, nowMs)
    byAudience.set(audience, made)
    return made.head
  }

  #make(presented: Presented, audience: string, position: number, nowMs: number): Kept {
    const { signingKeys, clock, issuer } = this.#ports
    const wallMs = clock.nowMs()
    const minted = mintIdentityToken(signingKeys, { presented, issuer, audience, position, nowMs: wallMs })
    const headers: string[] = [...FIXED]
    for (const [name, of] of COLUMNS) headers.push(name, headerText(of(presented.principal)))
    headers.push(TOKEN_HEADER, minted?.token ?? '')
    const livesMs = minted ? minted.expiresAtMs - wallMs : 0
    return {
      head: answerHead(headers),
      // At most half of its life: whoever is given it has the other half to use it.
      untilMs: nowMs + Math.min(livesMs, IDENTITY_SECONDS * 1000) / 2,
      generation: this.#generation,
    }
  }
}

const MOST_UPSTREAMS = 64

/** Printable ASCII; anything else, and the percent sign, is percent-encoded as UTF-8. */
export function headerText(text: string): string {
  return /^[\x20-\x24\x26-\x7E]*$/.test(text)
    ? text
    : text.toWellFormed().replaceAll(/[^\x20-\x24\x26-\x7E]+/g, (part) => encodeURIComponent(part))
}
