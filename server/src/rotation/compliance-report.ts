/** What somebody who has to answer for it asks: what ends, what is overdue, who manages, what was allowed, and the proof. */
import { readHead } from '../audit/index.ts'
import type { Caller } from '../kernel/index.ts'
import { requireDeployment, rfc3339 } from '../kernel/index.ts'
import { type Aging, CREDENTIAL_KINDS, type CredentialKind } from './aging.ts'
import { type AgingPorts, findAging } from './find-aging.ts'
import { type Census, selectCensus } from './store.ts'

/** Listed by name; beyond that they are counted. */
export const MOST_LISTED = 200

export interface Figures {
  readonly due: number
  readonly overdue: number
}

export interface ComplianceReport extends Census {
  readonly at: string
  readonly rotation: Readonly<Record<CredentialKind, Figures>>
  /** The first of them, the overdue ones first. */
  readonly listed: readonly Aging[]
  readonly audit: { readonly seq: number; readonly hash: string }
}

export async function complianceReport(
  ports: AgingPorts,
  caller: Caller,
  nowMs: number,
): Promise<ComplianceReport> {
  requireDeployment(caller, 'A report on the deployment')
  const figures = Object.fromEntries(
    CREDENTIAL_KINDS.map((kind) => [kind, { due: 0, overdue: 0 }]),
  ) as Record<CredentialKind, { due: number; overdue: number }>
  const listed: Record<Aging['state'], Aging[]> = { overdue: [], due: [] }
  for await (const aging of findAging(ports, caller, CREDENTIAL_KINDS, nowMs)) {
    figures[aging.kind][aging.state]++
    if (listed[aging.state].length < MOST_LISTED) listed[aging.state].push(aging)
  }
  return {
    at: rfc3339(nowMs),
    ...(await selectCensus(ports.storage, nowMs)),
    rotation: figures,
    listed: [...listed.overdue, ...listed.due].slice(0, MOST_LISTED),
    audit: await readHead(ports.storage),
  }
}
