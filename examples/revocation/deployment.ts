/** A Postern of the demonstration's own in a temporary folder, the example services beside it, and who calls them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export const RESOURCE = 'https://orders.example.com'
const ROOT = join(import.meta.dirname, '..', '..')
const SERVICES = ['express', 'fastify', 'hono', 'node-http'] as const

export interface Service {
  readonly name: string
  readonly url: string
}

export interface Agent {
  readonly id: string
  readonly name: string
  readonly tenant: string
  /** An access token of fifteen minutes. */
  readonly token: string
}

export interface Demonstration {
  readonly services: readonly Service[]
  readonly agents: readonly Agent[]
  readonly tenants: Readonly<Record<string, string>>
  /** Asks the management API; fails unless it succeeds. */
  manage<Answer>(path: string, body: object): Promise<Answer>
  end(): Promise<void>
}

export async function start(): Promise<Demonstration> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-demo-'))
  const children: ChildProcess[] = []
  const end = async (): Promise<void> => {
    await Promise.all(children.toReversed().map(ended))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const port = await freePort()
    const server = `http://localhost:${port}`
    const postern = run(['server/bin/postern.js', 'serve'], {
      POSTERN_DATA: folder,
      POSTERN_PORT: String(port),
      POSTERN_LOG_LEVEL: 'silent',
    })
    children.push(postern)
    const operatorKey = await printedKey(postern)
    const manage: Demonstration['manage'] = async <Answer>(path: string, body: object) => {
      const answer = await fetch(server + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
      return (await answer.json()) as Answer
    }

    await manage('/v1/resources', {
      uri: RESOURCE,
      name: 'Orders',
      scopes: [{ name: 'orders:read', description: 'Read orders' }],
    })
    const tenants: Record<string, string> = {}
    const agents: Agent[] = []
    for (const tenant of ['acme', 'globex']) {
      const { id } = await manage<{ id: string }>('/v1/tenants', { name: tenant })
      tenants[tenant] = id
      for (const name of ['buyer', 'auditor'])
        agents.push(await newAgent(manage, server, { id, tenant, name }))
    }

    const services: Service[] = []
    for (const name of SERVICES) {
      const { key } = await manage<{ key: string }>('/v1/operators', {
        name: `${name} service`,
        scopes: ['verify'],
        resources: [RESOURCE],
      })
      const servicePort = await freePort()
      children.push(
        run([`examples/${name}/server.ts`], {
          POSTERN_SERVER: server,
          POSTERN_CREDENTIAL: key,
          POSTERN_RESOURCE: RESOURCE,
          PORT: String(servicePort),
        }),
      )
      const url = `http://localhost:${servicePort}/orders`
      await answers(url, 401)
      services.push({ name, url })
    }
    return { services, agents, tenants, manage, end }
  } catch (error) {
    await end()
    throw error
  }
}

async function newAgent(
  manage: Demonstration['manage'],
  server: string,
  { id: tenantId, tenant, name }: { id: string; tenant: string; name: string },
): Promise<Agent> {
  const client = await manage<{ id: string; client_secret: string }>('/v1/clients', {
    name: `${tenant}'s ${name}`,
    kind: 'service',
    tenant: tenantId,
    resources: [{ resource: RESOURCE, scopes: ['orders:read'] }],
  })
  const answer = await fetch(`${server}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client.id}:${client.client_secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: RESOURCE, scope: 'orders:read' }),
  })
  const { access_token: token } = (await answer.json()) as { access_token?: string }
  if (token === undefined) throw new Error(`No token for ${client.id}: ${answer.status}`)
  return { id: client.id, name: `${tenant}/${name}`, tenant, token }
}

function run(args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  return child
}

/** The operator's key, as a first start shows it. */
async function printedKey(postern: ChildProcess): Promise<string> {
  if (!postern.stdout) throw new Error('The server has no output.')
  for await (const line of createInterface({ input: postern.stdout })) {
    const key = /^\s*manage Postern\s+(\S+)$/.exec(line)?.[1]
    if (key === undefined) continue
    postern.stdout.resume()
    return key
  }
  throw new Error('The server ended before it said its keys.')
}

/** Until the service answers so; ten seconds at the most. */
async function answers(url: string, status: number): Promise<void> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const found = await fetch(url).then(
      (answer) => answer.status,
      () => 0,
    )
    if (found === status) return
    if (performance.now() > deadline) throw new Error(`${url} answers ${found} instead of ${status}.`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const probe = createServer()
  probe.once('error', reject)
  probe.listen(0, 'localhost', () => {
    const { port } = probe.address() as { port: number }
    probe.close(() => resolve(port))
  })
  return promise
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const stubborn = setTimeout(() => child.kill('SIGKILL'), 3_000)
  await exit
  clearTimeout(stubborn)
}
