/**
 * A verifier with 100,000 rows in force: what each of them takes in its memory, and what they do to the time of a
 * verify. The rows come as they do in life: revoked at the server, received in the feed's snapshot.
 */
import { join } from 'node:path'
import type { Bench } from './bench.ts'
import { LOAD_CORE, startMeasured } from './child-process.ts'
import { against, ratios, spread } from './measure.ts'
import { mintTokens } from './minted-tokens.ts'
import { type BenchDeployment, makeDeployment, RESOURCE, type RunningServer, serve } from './postern.ts'
import type { VerifierReport, VerifierTask } from './one-verifier.ts'

const ROWS = 100_000
const AT_ONCE = 1_000

export const denyRows: Bench = {
  name: 'deny-rows',
  about: `a verifier with ${ROWS.toLocaleString('en')} deny rows in force, against one with none`,
  async run({ quick }) {
    const rounds = quick ? 5 : 15
    const full = await side(ROWS, rounds)
    const empty = await side(0, rounds)
    try {
      const reports: Record<'full' | 'empty', VerifierReport[]> = { full: [], empty: [] }
      for (let round = -1; round < rounds; round++)
        for (const [name, { next }] of [
          ['full', full],
          ['empty', empty],
        ] as const) {
          const report = await next()
          if (round >= 0) reports[name].push(report)
        }
      const { rows, rowBytes } = reports.full[0] as VerifierReport
      const of = (name: 'full' | 'empty', time: 'repeatedNs' | 'firstNs'): number[] =>
        reports[name].map((report) => report[time])
      return [
        { what: 'rows in force', value: rows, unit: '' },
        against('memory of a row', spread([rowBytes / rows]), 'bytes', { atMost: 40 }),
        {
          what: 'what the process grew by, for a row',
          value: (full.residentBytes - empty.residentBytes) / rows,
          unit: 'bytes',
        },
        { what: 'repeated verify, no row', value: spread(of('empty', 'repeatedNs')), unit: 'ns' },
        against('the same with all rows', ratios(of('full', 'repeatedNs'), of('empty', 'repeatedNs')), '×', {
          atMost: 1.1,
        }),
        {
          what: 'first verify, no row',
          value: spread(of('empty', 'firstNs').map((ns) => ns / 1000)),
          unit: 'µs',
        },
        against('the same with all rows', ratios(of('full', 'firstNs'), of('empty', 'firstNs')), '×', {
          atMost: 1.1,
        }),
      ]
    } finally {
      await Promise.all([full.end(), empty.end()])
    }
  },
}

interface Side {
  readonly residentBytes: number
  next(): Promise<VerifierReport>
  end(): Promise<void>
}

const FRESH = 200

async function side(rows: number, rounds: number): Promise<Side> {
  const deployment = await makeDeployment(1)
  const server = await serve(deployment)
  const issuer = `http://localhost:${server.port}`
  await revokeMany(server, deployment, rows)
  const { tokens } = await mintTokens(deployment, { issuer, count: 100 + FRESH * (rounds + 1) })
  const verifier = startMeasured(['--expose-gc', join(import.meta.dirname, 'one-verifier.ts')], {
    core: LOAD_CORE,
  })
  const task: VerifierTask = {
    server: issuer,
    credential: deployment.operatorKey,
    resource: RESOURCE,
    known: tokens.slice(0, 100),
    fresh: tokens.slice(100),
    freshAtOnce: FRESH,
  }
  verifier.send(JSON.stringify(task))
  await verifier.nextLine()
  return {
    residentBytes: verifier.residentBytes(),
    async next() {
      verifier.send('')
      return JSON.parse(await verifier.nextLine()) as VerifierReport
    },
    async end() {
      await Promise.all([verifier.end(), server.end()])
      deployment.drop()
    },
  }
}

async function revokeMany(
  { port }: RunningServer,
  { operatorKey }: BenchDeployment,
  count: number,
): Promise<void> {
  for (let done = 0; done < count; done += AT_ONCE) {
    const targets = Array.from({ length: AT_ONCE }, () => ({ kind: 'token', id: crypto.randomUUID() }))
    const answer = await fetch(`http://localhost:${port}/v1/revocations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ targets, reason: 'bench' }),
    })
    if (!answer.ok) throw new Error(`/v1/revocations: ${answer.status} ${await answer.text()}`)
    await answer.body?.cancel()
  }
}
