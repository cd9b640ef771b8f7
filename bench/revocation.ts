/**
 * From the moment a revocation is answered until each connected verifier refuses: on SQLite, on two Postgres nodes with
 * the revocation made on the other one, and with a thousand connections to one server. And what a connection costs.
 */
import { join } from 'node:path'
import { startCluster } from '../server/test/postgres-cluster.ts'
import type { Bench } from './bench.ts'
import { LOAD_CORE, type Measured, startMeasured } from './child-process.ts'
import { against, type Line, percentile } from './measure.ts'
import { mintTokens } from './minted-tokens.ts'
import {
  type BenchDeployment,
  createDatabase,
  makeDeployment,
  RESOURCE,
  type RunningServer,
  serve,
} from './postern.ts'
import type { Order } from './verifiers.ts'

const PROCESSES = 4

export const revocation: Bench = {
  name: 'revocation',
  about: 'from the 200 of a revocation until each connected verifier refuses, and what a connection costs',
  async run({ quick }) {
    const rounds = quick ? 5 : 20
    const lines: Line[] = []
    const sqlite = await makeDeployment(0)
    lines.push(...(await reach('SQLite', sqlite, { verifiers: 100, rounds, atMost: 100 })))
    lines.push(...(await reach('SQLite', sqlite, { verifiers: 1_000, rounds: quick ? 2 : 5, atMost: 500 })))
    sqlite.drop()

    const cluster = await startCluster()
    try {
      const databaseUrl = await createDatabase(cluster.url, 'bench')
      const postgres = await makeDeployment(0, { databaseUrl })
      const options = { verifiers: 100, rounds, atMost: 100, otherNode: true }
      lines.push(...(await reach('Postgres, the other node', postgres, options)))
      postgres.drop()
    } finally {
      await cluster.stop()
    }
    return lines
  },
}

interface Reach {
  readonly verifiers: number
  readonly rounds: number
  /** Milliseconds, for the 99th percentile. */
  readonly atMost: number
  readonly otherNode?: boolean
}

async function reach(
  where: string,
  deployment: BenchDeployment,
  { verifiers, rounds, atMost, otherNode = false }: Reach,
): Promise<Line[]> {
  const server = await serve(deployment)
  const other = otherNode ? await serve(deployment) : server
  const processes = Array.from({ length: PROCESSES }, () =>
    startMeasured([join(import.meta.dirname, 'verifiers.ts')], { core: LOAD_CORE }),
  )
  const tell = (order: Order): void => {
    for (const process of processes) process.send(JSON.stringify(order))
  }
  try {
    // A token of this issuer is what the first node signs; both nodes have the same name in a real deployment.
    const { tokens, ids } = await mintTokens(deployment, {
      issuer: `http://localhost:${server.port}`,
      count: rounds + 1,
    })
    const credentials = await verifierKeys(server, deployment, verifiers)
    const before = server.residentBytes()
    for (const [index, process] of processes.entries())
      process.send(
        JSON.stringify({
          open: {
            server: `http://localhost:${server.port}`,
            resource: RESOURCE,
            credentials: credentials.filter((_, number) => number % PROCESSES === index),
          },
        } satisfies Order),
      )
    await Promise.all(processes.map((process) => process.nextLine()))
    const connectedBytes = server.residentBytes() - before

    const tookMs: number[] = []
    // The first round warms both sides.
    for (let round = 0; round <= rounds; round++) {
      tell({ watch: tokens[round] as string })
      await Promise.all(processes.map((process) => process.nextLine()))
      await revoke(other, deployment, ids[round] as string)
      const answeredAt = process.hrtime.bigint()
      const refused = await Promise.all(processes.map(async (process) => timesOf(process)))
      if (round > 0) for (const at of refused.flat()) tookMs.push(Math.max(0, Number(at - answeredAt) / 1e6))
    }
    const sorted = tookMs.sort((a, b) => a - b)
    const p99 = percentile(sorted, 99)
    const name = `${where}, ${verifiers} verifiers`
    const all = { median: p99, lowest: sorted[0] as number, highest: sorted.at(-1) as number }
    return [
      { what: `${name}: p50`, value: percentile(sorted, 50), unit: 'ms' },
      { ...against(`${name}: p99`, all, 'ms', { atMost }) },
      { what: `${name}: max of ${sorted.length}`, value: sorted.at(-1) as number, unit: 'ms' },
      ...(otherNode
        ? []
        : [
            {
              what: `${name}: memory for a connection`,
              value: connectedBytes / verifiers / 1024,
              unit: 'KiB',
            },
          ]),
    ]
  } finally {
    await Promise.all([...processes, server, ...(otherNode ? [other] : [])].map((process) => process.end()))
  }
}

async function timesOf(process: Measured): Promise<bigint[]> {
  return (JSON.parse(await process.nextLine()) as string[]).map(BigInt)
}

/** A credential each: verifiers that share one in a process share a connection. */
async function verifierKeys(
  server: RunningServer,
  deployment: BenchDeployment,
  count: number,
): Promise<string[]> {
  const keys: string[] = []
  while (keys.length < count) {
    const some = Array.from({ length: Math.min(50, count - keys.length) }, async (_, number) => {
      const body = { name: `verifier ${keys.length + number}`, scopes: ['verify'] }
      return ((await manage(server, deployment, '/v1/operators', body)) as { key: string }).key
    })
    keys.push(...(await Promise.all(some)))
  }
  return keys
}

async function revoke(server: RunningServer, deployment: BenchDeployment, jti: string): Promise<void> {
  await manage(server, deployment, '/v1/revocations', {
    targets: [{ kind: 'token', id: jti }],
    reason: 'bench',
  })
}

async function manage(
  server: RunningServer,
  { operatorKey }: BenchDeployment,
  path: string,
  body: object,
): Promise<unknown> {
  const answer = await fetch(`http://localhost:${server.port}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}
