/** A service with one verifier, to measure: takes its task as a line of JSON, then measures once for each further line. */
import { createInterface } from 'node:readline'
import { createVerifier } from '../sdk/src/index.ts'

export interface VerifierTask {
  readonly server: string
  readonly credential: string
  readonly resource: string
  /** Verified before, again and again. */
  readonly known: readonly string[]
  /** Verified once each, so many in a round. */
  readonly fresh: readonly string[]
  readonly freshAtOnce: number
}

export interface VerifierReport {
  readonly repeatedNs: number
  readonly firstNs: number
  readonly rows: number
  readonly rowBytes: number
}

const REPEATED = 100_000
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const task = JSON.parse((await lines.next()).value as string) as VerifierTask
const verifier = createVerifier({
  server: task.server,
  credential: task.credential,
  resource: task.resource,
  cacheEntries: 1_000_000,
})
if (!(await verifier.ready(30_000))) throw new Error('The verifier is not live.')
for (const token of task.known) accepts(token)
globalThis.gc?.()
console.log('ready')

let next = 0
for await (const _ of lines) {
  const repeatedNs = timed(REPEATED, (index) => accepts(task.known[index % task.known.length] as string))
  const firstNs = timed(task.freshAtOnce, () => accepts(task.fresh[next++] as string))
  const { denyRows, denyBytes } = verifier.status()
  const report: VerifierReport = { repeatedNs, firstNs, rows: denyRows, rowBytes: denyBytes }
  console.log(JSON.stringify(report))
}

function timed(calls: number, call: (index: number) => void): number {
  const startedMs = performance.now()
  for (let index = 0; index < calls; index++) call(index)
  return ((performance.now() - startedMs) / calls) * 1e6
}

function accepts(token: string): void {
  const result = verifier.verify(token) as { valid?: boolean }
  if (result.valid !== true) throw new Error(`A good token was refused: ${JSON.stringify(result)}`)
}
