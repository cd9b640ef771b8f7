/** For this module's tests: identity on a fresh database behind a real server, and a browser that keeps its cookies. */
import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { sql } from 'kysely'
import { pino } from 'pino'
import type { TestDatabase } from '../../test/databases.ts'
import { createChain } from '../audit/index.ts'
import { createServer } from '../http/index.ts'
import { type Caller, type Clock, denial, systemCaller } from '../kernel/index.ts'
import { TokenBuckets } from '../limits/index.ts'
import { Changes, createFeed, FeedPublisher } from '../revocation/index.ts'
import { Idempotency, migrate, openStorage, type Storage } from '../storage/index.ts'
import { createTenant } from '../tenants/index.ts'
import {
  accountRoutes,
  createIdentity,
  createUser,
  type IdentityContext,
  type IdentityOptions,
  pageRoutes,
  providerRoutes,
  setMembership,
  setPassword,
  SIGN_IN_RATES,
  type User,
  userPartsRoutes,
  userRoutes,
} from './index.ts'

export const ISSUER = 'https://id.example.com'
export const PASSWORD = 'correct horse battery'
export const OPERATOR: Caller = systemCaller(['users:read', 'users:write'])
/** As cheap as argon2id gets: the tests count hashes, they do not time them. */
export const CHEAP = { memory: 64, passes: 1, parallelism: 1 }

export class TestClock implements Clock {
  #nowMs = Date.UTC(2027, 0, 1)
  nowMs = (): number => this.#nowMs
  monotonicMs = (): number => this.#nowMs
  pass(ms: number): void {
    this.#nowMs += ms
  }
}

export interface TestIdentity {
  readonly storage: Storage
  readonly changes: Changes
  readonly clock: TestClock
  readonly identity: IdentityContext
  readonly server: FastifyInstance
  /** What the activity log was told, in order. */
  readonly noted: { readonly code: string; readonly credential?: string | undefined }[]
  readonly tenantId: string
  /** E-mails that were sent, in order. */
  readonly mails: { readonly to: string; readonly subject: string; readonly text: string }[]
  user(username: string, password?: string): Promise<User>
  /** As an operator of the deployment, or of the tenant. */
  manage(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: object,
    as?: 'deployment' | 'tenant' | 'reader',
  ): Promise<LightMyRequestResponse>
  /** Rows of the feed, oldest first, as `kind key effect`. */
  feed(): Promise<string[]>
  /** Actions in the audit chain, oldest first. */
  audited(): Promise<string[]>
  /** Everything that the tables hold, as text. */
  dump(): Promise<string>
  close(): Promise<void>
}

export async function openTestIdentity(
  database: TestDatabase,
  options: Partial<Pick<IdentityOptions, 'issuer' | 'hashing' | 'throttles' | 'signUp'>> = {},
): Promise<TestIdentity> {
  const clock = new TestClock()
  const storage = await openStorage(database.location, clock)
  await migrate(storage, clock.nowMs())
  const changes = new Changes(clock, new FeedPublisher(clock, async () => {}))
  const tenant = await storage.write(async (tx) => {
    await createChain(tx)
    await createFeed(tx, 'epoch', clock.nowMs())
    return createTenant(tx, changes, OPERATOR, { name: 'default' })
  })
  const noted: TestIdentity['noted'] = []
  const mails: { to: string; subject: string; text: string }[] = []
  const identity = createIdentity({
    post: { put: async (_tx, mail) => void mails.push(mail), flush: async () => {} },
    storage,
    changes,
    activity: { record: (activity) => void noted.push(activity) },
    throttles: {
      account: new TokenBuckets(SIGN_IN_RATES.account, clock),
      network: new TokenBuckets(SIGN_IN_RATES.network, clock),
    },
    issuer: ISSUER,
    rootSecret: 'a root secret of more than thirty-two characters',
    hashing: { parameters: CHEAP },
    ...options,
  })

  const callers: Readonly<Record<string, Caller>> = {
    deployment: OPERATOR,
    tenant: { ...OPERATOR, tenant: tenant.id },
    reader: { ...OPERATOR, scopes: ['users:read'] },
  }
  const server = createServer({
    logger: pino({ level: 'silent' }),
    authenticate: ({ headers }) => callers[String(headers['authorization'])] ?? denial('missing'),
  })
  userRoutes(server, identity, new Idempotency(storage, 'a root secret', clock))
  userPartsRoutes(server, identity)
  providerRoutes(server, identity, new Idempotency(storage, 'a root secret', clock))
  pageRoutes(server, identity)
  accountRoutes(server, identity)

  const rows = async <Row>(query: string): Promise<Row[]> =>
    (await sql.raw<Row>(query).execute(storage.read<unknown>())).rows

  return {
    storage,
    changes,
    clock,
    identity,
    server,
    noted,
    tenantId: tenant.id,
    mails,
    async user(username, password) {
      const user = await storage.write(async (tx) => {
        const user = await createUser(tx, changes, OPERATOR, { username, name: `${username} the tester` })
        await setMembership(tx, changes, OPERATOR, { userId: user.id, tenantId: tenant.id, roles: [] })
        return user
      })
      return password === undefined ? user : setPassword(identity, OPERATOR, user.id, password)
    },
    manage: (method, url, body, as = 'deployment') =>
      server.inject({ method, url, headers: { authorization: as }, ...(body && { payload: body }) }),
    async feed() {
      const found = await rows<{ kind: string; key: string; effect: string }>(
        'SELECT kind, key, effect FROM feed_rows ORDER BY seq',
      )
      return found.map(({ kind, key, effect }) => `${kind} ${key} ${effect}`)
    },
    async audited() {
      const found = await rows<{ action: string }>('SELECT action FROM audit_events ORDER BY seq')
      return found.map(({ action }) => action)
    },
    async dump() {
      const tables = [
        'users',
        'memberships',
        'sessions',
        'passkeys',
        'one_time_codes',
        'recovery_codes',
        'tickets',
        'sign_in_providers',
        'upstream_identities',
        'feed_rows',
        'audit_events',
        'activity',
        'idempotency',
      ]
      const all = await Promise.all(tables.map((table) => rows(`SELECT * FROM ${table}`)))
      return JSON.stringify(all)
    },
    async close() {
      await server.close()
      await identity.sessionUse.stop()
      await storage.close()
    },
  }
}

/** A browser: keeps cookies, follows nothing, and sends what a form of ours would. */
export class TestBrowser {
  readonly cookies = new Map<string, string>()
  readonly #server: FastifyInstance
  readonly #headers: Readonly<Record<string, string>>

  readonly #origin: string

  constructor(
    server: FastifyInstance,
    headers: Readonly<Record<string, string>> = {},
    origin: string = ISSUER,
  ) {
    this.#origin = origin
    this.#server = server
    this.#headers = headers
  }

  get(url: string): Promise<LightMyRequestResponse> {
    return this.#send({ method: 'GET', url })
  }

  /** `headers` replace the browser's own; an empty value leaves one away. */
  post(
    url: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<LightMyRequestResponse> {
    const own = { origin: this.#origin, 'sec-fetch-site': 'same-origin', ...headers }
    return this.#send({
      method: 'POST',
      url,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== '')),
      },
      payload: new URLSearchParams(fields).toString(),
    })
  }

  /** Opens the page and posts its form. */
  async submit(
    url: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<LightMyRequestResponse> {
    const page = await this.get(url)
    return this.post(url, { form_token: tokenIn(page.body), ...fields }, headers)
  }

  signIn(identifier: string, password: string = PASSWORD): Promise<LightMyRequestResponse> {
    return this.submit('/sign-in', { identifier, password })
  }

  /** The name that the sign-in page calls the user, or undefined when nobody is signed in. */
  async signedInAs(): Promise<string | undefined> {
    return /You are signed in<\/h1>[\s\S]*?<strong>(.*?)<\/strong>/.exec(
      (await this.get('/sign-in')).body,
    )?.[1]
  }

  async #send(request: {
    method: 'GET' | 'POST'
    url: string
    headers?: Record<string, string>
    payload?: string
  }): Promise<LightMyRequestResponse> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await this.#server.inject({
      ...request,
      headers: { ...this.#headers, ...request.headers, ...(cookie !== '' && { cookie }) },
    })
    for (const set of [answer.headers['set-cookie'] ?? []].flat()) {
      const [pair = '', ...attributes] = set.split('; ')
      const [name = '', value = ''] = pair.split('=')
      if (attributes.includes('Max-Age=0')) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }
}

export function tokenIn(page: string): string {
  return /name="form_token" value="([^"]+)"/.exec(page)?.[1] ?? ''
}
