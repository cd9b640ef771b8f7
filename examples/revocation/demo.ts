/**
 * `npm run demo:revocation`: four services verify in their own processes; one agent is revoked, then a whole tenant, and
 * each service's time until it refuses is printed. Nothing is left behind.
 */
import { type Agent, type Demonstration, type Service, start } from './deployment.ts'
import { type Answered, Traffic } from './traffic.ts'

const FLOW_MS = 2_000

interface BlastRadius {
  readonly keys: number
  readonly sessions: number
  readonly grants: number
  readonly clients: number
  readonly tokens: { readonly at_most: number }
}

console.log('Starting Postern and four services that verify in their own processes …')
const demonstration = await start()
const traffic = new Traffic(demonstration)
/** Whoever was revoked in an earlier step. */
const endedBefore = new Set<Agent>()
try {
  const { agents, tenants } = demonstration
  await pause(FLOW_MS)
  showFlow(demonstration, traffic.since(0))
  const agent = agents[0] as Agent
  await endAndMeasure(`the agent ${agent.name}`, { kind: 'client', id: agent.id }, [agent])
  const tenant = 'globex'
  await endAndMeasure(
    `the tenant ${tenant}, everyone in it`,
    { kind: 'tenant', id: tenants[tenant] as string },
    agents.filter((one) => one.tenant === tenant),
  )
} finally {
  await traffic.stop()
  await demonstration.end()
}

/** Dry run, revocation, and when each service refused. Fails when one does not, or when anyone else is refused. */
async function endAndMeasure(what: string, target: object, ended: readonly Agent[]): Promise<void> {
  const { manage, services, agents } = demonstration
  const { blast_radius: reached } = await manage<{ blast_radius: BlastRadius }>('/v1/revocations', {
    targets: [target],
    dry_run: true,
  })
  console.log(
    `\nRevoking ${what}. A dry run says it reaches: ${reached.clients} client(s), ${reached.keys} key(s), ` +
      `${reached.sessions} session(s), ${reached.grants} grant(s), at most ${reached.tokens.at_most} token(s).`,
  )
  const askedAtMs = performance.now()
  await manage('/v1/revocations', { targets: [target], reason: 'demonstration' })
  const revokedAtMs = performance.now()
  console.log(`Answered 200 after ${(revokedAtMs - askedAtMs).toFixed(1)} ms. Counted from there:\n`)
  await pause(FLOW_MS)

  const answers = traffic.since(askedAtMs - 100)
  const rows = services.map((service) => {
    const here = answers.filter((answer) => answer.service === service && ended.includes(answer.agent))
    return [service.name, ...timesOf(service, here, revokedAtMs)]
  })
  printTable([['service', 'last accepted', 'first refused', 'refused since', 'accepted since'], ...rows])
  const others = new Set(agents.filter((agent) => !ended.includes(agent) && !endedBefore.has(agent)))
  const alive = answers.filter(({ agent, sentAtMs }) => others.has(agent) && sentAtMs > revokedAtMs)
  const refused = alive.filter(({ status }) => status !== 200)
  console.log(`\nEverybody else: ${alive.length} requests meanwhile, ${refused.length} refused.`)
  if (refused.length > 0) throw new Error(`Others were refused: ${refused[0]?.status}.`)
  for (const agent of ended) endedBefore.add(agent)
}

/** Times are when the answer came, from the moment the revocation's 200 was there; below zero is before it. */
function timesOf(service: Service, here: readonly Answered[], revokedAtMs: number): string[] {
  const refused = here.filter(({ status }) => status === 401)
  const accepted = here.filter(({ status }) => status === 200)
  const first = Math.min(...refused.map(({ answeredAtMs }) => answeredAtMs)) - revokedAtMs
  const last = Math.max(...accepted.map(({ answeredAtMs }) => answeredAtMs)) - revokedAtMs
  if (!Number.isFinite(first)) throw new Error(`${service.name} did not refuse within ${FLOW_MS} ms.`)
  const acceptedSince = accepted.filter(({ answeredAtMs }) => answeredAtMs > revokedAtMs).length
  return [showMs(last), showMs(first), String(refused.length), String(acceptedSince)]
}

function showFlow({ agents, services }: Demonstration, answers: readonly Answered[]): void {
  console.log(`\nAnswers of ${FLOW_MS / 1000} s, by agent and service (accepted/refused):\n`)
  const rows = agents.map((agent) => [
    agent.name,
    ...services.map((service) => {
      const here = answers.filter((answer) => answer.agent === agent && answer.service === service)
      const accepted = here.filter(({ status }) => status === 200).length
      return `${accepted}/${here.length - accepted}`
    }),
  ])
  printTable([['', ...services.map(({ name }) => name)], ...rows])
}

function showMs(ms: number): string {
  return `${ms >= 0 ? '+' : ''}${ms.toFixed(1)} ms`
}

function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  for (const row of rows)
    console.log(`  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ')}`.trimEnd())
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
