/**
 * Fifty revocations a second for ten minutes, with tokens that live a minute, so that rows fall due while others come:
 * the feed, the server and a verifier stay as large as what is in force. Runs only when it is named.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Bench } from './bench.ts'
import { LOAD_CORE, startMeasured } from './child-process.ts'
import { against, type Line, spread } from './measure.ts'
import type { VerifierReport } from './one-verifier.ts'
import { makeDeployment, RESOURCE, serve } from './postern.ts'

const PER_SECOND = 50
const TOKEN_SECONDS = 60
/** FEED: the longest lifetime and 120 s; swept once a minute. */
const IN_FORCE_SECONDS = TOKEN_SECONDS + 120
const SWEEP_SECONDS = 60

export const steady: Bench = {
  name: 'steady',
  about: `${PER_SECOND} revocations a second for ten minutes: nothing grows beyond the rows in force`,
  onlyNamed: true,
  async run({ quick }) {
    const minutes = quick ? 1 : 10
    const deployment = await makeDeployment(0, { tokenLifetimeSeconds: TOKEN_SECONDS })
    const server = await serve(deployment)
    const verifier = startMeasured([join(import.meta.dirname, 'one-verifier.ts')], { core: LOAD_CORE })
    verifier.send(
      JSON.stringify({
        server: `http://localhost:${server.port}`,
        credential: deployment.operatorKey,
        resource: RESOURCE,
        known: [],
        fresh: [],
        freshAtOnce: 0,
      }),
    )
    await verifier.nextLine()
    const database = new DatabaseSync(join(deployment.dataDir, 'postern.db'), { readOnly: true })
    const rowsOfFeed = (): number =>
      (database.prepare('SELECT count(*) AS rows FROM feed_rows').get() as { rows: number }).rows

    const rows: number[] = []
    const verifierRows: number[] = []
    const serverMb: number[] = []
    const verifierMb: number[] = []
    const lines: Line[] = []
    let made = 0
    const startedMs = performance.now()
    for (let minute = 1; minute <= minutes; minute++) {
      while (performance.now() - startedMs < minute * 60_000) {
        const due = Math.floor(((performance.now() - startedMs) / 1000) * PER_SECOND) - made
        made += due
        await Promise.all(Array.from({ length: due }, () => revoke(server.port, deployment.operatorKey)))
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      verifier.send('')
      const report = JSON.parse(await verifier.nextLine()) as VerifierReport
      rows.push(rowsOfFeed())
      verifierRows.push(report.rows)
      serverMb.push(server.residentBytes() / 1_000_000)
      verifierMb.push(verifier.residentBytes() / 1_000_000)
      const counts = `${rows.at(-1)} / ${report.rows} / ${serverMb.at(-1)?.toFixed(0)} / ${verifierMb.at(-1)?.toFixed(0)}`
      lines.push({
        what: `minute ${minute}: feed rows / verifier's rows / server MB / verifier MB`,
        value: counts,
      })
      console.log(`${lines.at(-1)?.what}: ${counts}`)
    }
    database.close()
    await Promise.all([verifier.end(), server.end()])
    deployment.drop()
    lines.push({ what: 'revocations', value: made, unit: '' })
    if (minutes < 6) return [...lines, { what: 'too short for rows to fall due', value: 'nothing is judged' }]
    const most = PER_SECOND * (IN_FORCE_SECONDS + SWEEP_SECONDS)
    const settled = (values: readonly number[]): number[] => values.slice(4)
    return [
      ...lines,
      against('feed rows from the fifth minute on', spread([Math.max(...settled(rows))]), 'rows', {
        atMost: most * 1.05,
      }),
      against(
        "verifier's rows from the fifth minute on",
        spread([Math.max(...settled(verifierRows))]),
        'rows',
        {
          atMost: most * 1.05,
        },
      ),
      {
        what: 'server memory, last minute / fifth',
        value: (serverMb.at(-1) as number) / (serverMb[4] as number),
        unit: '×',
      },
      {
        what: 'verifier memory, last minute / fifth',
        value: (verifierMb.at(-1) as number) / (verifierMb[4] as number),
        unit: '×',
      },
    ]
  },
}

async function revoke(port: number, operatorKey: string): Promise<void> {
  const answer = await fetch(`http://localhost:${port}/v1/revocations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ targets: [{ kind: 'token', id: crypto.randomUUID() }], reason: 'bench' }),
  })
  if (!answer.ok) throw new Error(`/v1/revocations: ${answer.status} ${await answer.text()}`)
  await answer.body?.cancel()
}
