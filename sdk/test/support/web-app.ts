/** An application that signs its users in by Postern itself, on each framework; and a visitor with a cookie jar. */
import { serve as serveHono } from '@hono/node-server'
import express from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { Browser } from '../../../server/test/browser.ts'
import { freshSqlite } from '../../../server/test/databases.ts'
import {
  API,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../../server/test/oauth-server.ts'
import { freePort } from '../../../server/test/postgres-cluster.ts'
import { newUser } from '../../../server/test/sign-in-as.ts'
import { createGuard as expressGuard, principalOf } from '../../src/adapters/express.ts'
import { postern as fastifyPostern } from '../../src/adapters/fastify.ts'
import { createGuard as honoGuard } from '../../src/adapters/hono.ts'
import { createGuard as nextGuard } from '../../src/adapters/next.ts'
import { protect } from '../../src/adapters/node.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { createVerifier, type Verifier } from '../../src/index.ts'
import { answerFetch, fastifyWeb, honoWeb, nextWeb, serveWeb, type Web } from '../../src/web/index.ts'
import { parseWebOptions, type WebOptions } from '../../src/web/web-options.ts'
import { buildWeb } from '../../src/web/web.ts'

/** Answers a server that listens on `port`, with the handlers, `GET` and `POST /orders`, and `GET /` for a page. */
type Mount = (web: Web, verifier: Verifier, port: number) => Promise<{ close(): unknown }>

const PAGE = '<!doctype html><title>shop</title><h1>Shop</h1>'
const html = { 'content-type': 'text/html' }

async function listening(server: Server, port: number): Promise<{ close(): unknown }> {
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve))
  return {
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

export const MOUNTS: Readonly<Record<string, Mount>> = {
  express(web, verifier, port) {
    const app = express()
    const guard = expressGuard(verifier, { session: web })
    app.use(serveWeb(web))
    app.get('/orders', guard('orders:read'), (req, res) => void res.json(principalOf(req)))
    app.post('/orders', guard('orders:write'), (req, res) => void res.json(principalOf(req)))
    app.get('/', (_req, res) => void res.type('html').send(PAGE))
    return listening(createServer(app), port)
  },
  async fastify(web, verifier, port) {
    const app = fastify()
    await app.register(fastifyWeb(web))
    await app.register(fastifyPostern, { verifier, session: web })
    app.get('/orders', { onRequest: app.requireScopes('orders:read') }, (request) => request.principal)
    app.post('/orders', { onRequest: app.requireScopes('orders:write') }, (request) => request.principal)
    app.get('/', (_request, reply) => reply.type('text/html').send(PAGE))
    await app.listen({ port, host: 'localhost' })
    return { close: () => app.close() }
  },
  async hono(web, verifier, port) {
    const guard = honoGuard(verifier, { session: web })
    const app = new Hono()
      .use(honoWeb(web))
      .get('/orders', guard('orders:read'), (c) => c.json(c.get('principal')))
      .post('/orders', guard('orders:write'), (c) => c.json(c.get('principal')))
      .get('/', (c) => c.html(PAGE))
    const server = serveHono({ fetch: app.fetch, port, hostname: 'localhost' }) as Server
    return {
      close: () => {
        server.closeAllConnections()
        server.close()
      },
    }
  },
  node(web, verifier, port) {
    const handlers = serveWeb(web)
    const answer = (_req: unknown, res: ServerResponse, principal: object) =>
      res.setHeader('content-type', 'application/json').end(JSON.stringify(principal))
    const list = protect(verifier, answer, { scopes: 'orders:read', session: web })
    const place = protect(verifier, answer, { scopes: 'orders:write', session: web })
    const server = createServer((req, res) =>
      handlers(req, res, (error) => {
        if (error !== undefined) return res.writeHead(500).end()
        if (req.url?.startsWith('/orders')) return (req.method === 'POST' ? place : list)(req, res)
        return res.writeHead(200, html).end(PAGE)
      }),
    )
    return listening(server, port)
  },
  async next(web, verifier, port) {
    const guard = nextGuard(verifier, { session: web })
    const list = guard('orders:read', (_request, _context, principal) => Response.json(principal))
    const place = guard('orders:write', (_request, _context, principal) => Response.json(principal))
    const { GET, POST } = nextWeb(web)
    const fetch = (request: Request): Response | Promise<Response> => {
      const { pathname } = new URL(request.url)
      if (pathname.startsWith('/auth/')) return (request.method === 'POST' ? POST : GET)(request)
      if (pathname === '/orders') return (request.method === 'POST' ? place : list)(request, undefined)
      return new Response(PAGE, { headers: html })
    }
    const server = serveHono({ fetch, port, hostname: 'localhost' }) as Server
    return {
      close: () => {
        server.closeAllConnections()
        server.close()
      },
    }
  },
}

/** The web's own Request and Response, without a framework at all. */
export { answerFetch }

export interface WebApp {
  readonly origin: string
  readonly server: OAuthServer
  readonly client: Json
  /** Another with each call: who signs in too often is slowed down. */
  newUser(): Promise<Json>
  readonly web: Web
  readonly verifier: Verifier
  /** Moves the application's clock, not Postern's. */
  advance(ms: number): void
  /** Another process of the same application, on a port of its own, with what differs. */
  another(options?: Partial<WebOptions>): Promise<WebApp>
  close(): Promise<void>
}

export const WEB_KEY = Buffer.alloc(32, 7).toString('base64')

export async function openWebApp(
  framework = 'express',
  options: Partial<WebOptions> = {},
  server?: OAuthServer,
): Promise<WebApp> {
  const database = server ? undefined : freshSqlite()
  const postern = server ?? (await openOAuthServer(database as NonNullable<typeof database>))
  if (!server) await newResource(postern)
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const client = await newClient(postern, {
    name: 'Shop',
    kind: 'web',
    redirect_uris: [`${origin}/auth/callback`],
    post_logout_redirect_uris: [`${origin}/`],
    backchannel_logout_uri: `${origin}/auth/backchannel-logout`,
    resources: [{ resource: API }],
  })
  const { key } = await postern.manage('POST', '/v1/operators', {
    name: 'shop',
    scopes: ['verify'],
    resources: [API],
  })
  const verifier = createVerifier({ server: postern.issuer, credential: key, resource: API })
  const all: WebOptions = {
    issuer: postern.issuer,
    clientId: client.id,
    clientSecret: client.client_secret,
    origin,
    keys: WEB_KEY,
    resource: API,
    scopes: ['orders:read'],
    verifier,
    ...options,
  }
  let aheadMs = 0
  let count = 0
  const clock: Clock = {
    nowMs: () => systemClock.nowMs() + aheadMs,
    monotonicMs: () => systemClock.monotonicMs() + aheadMs,
    after: (...about) => systemClock.after(...about),
  }
  const web = buildWeb(parseWebOptions(all), clock)
  const listener = await (MOUNTS[framework] as Mount)(web, verifier, port)
  await verifier.ready()
  const app: WebApp = {
    origin,
    server: postern,
    client,
    newUser: () => newUser(postern, `ada-${port}-${count++}`, client.tenant),
    web,
    verifier,
    advance: (ms) => void (aheadMs += ms),
    async another(more = {}) {
      const otherPort = await freePort()
      const otherWeb = buildWeb(parseWebOptions({ ...all, ...more }), clock)
      const other = await (MOUNTS[framework] as Mount)(otherWeb, verifier, otherPort)
      return {
        ...app,
        origin: `http://localhost:${otherPort}`,
        web: otherWeb,
        close: async () => void other.close(),
      }
    },
    async close() {
      listener.close()
      verifier.close()
      if (server) return
      await postern.close()
      await database?.drop()
    },
  }
  return app
}

export interface Visit {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Json
}

/** A browser of one application, as far as cookies and the headers go that a browser writes. */
export class Visitor {
  readonly cookies = new Map<string, string>()
  /** At Postern. */
  readonly browser: Browser
  readonly #app: WebApp
  /** Everything that was ever answered, for a search. */
  readonly seen: string[] = []
  /** Who signs in. */
  user: Json

  constructor(app: WebApp) {
    this.#app = app
    this.browser = new Browser(app.server)
  }

  async ask(
    path: string,
    { method = 'GET', headers = {}, body, at = this.#app.origin }: Ask = {},
  ): Promise<Visit> {
    const response = await fetch(`${at}${path}`, {
      method,
      redirect: 'manual',
      headers: { ...(this.cookies.size > 0 && { cookie: this.cookieHeader() }), ...headers },
      ...(body !== undefined && { body }),
    })
    for (const cookie of response.headers.getSetCookie()) this.#keep(cookie)
    const text = await response.text()
    this.seen.push(text, ...[...response.headers].filter(([name]) => name !== 'set-cookie').flat())
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : {} }
  }

  /** As the application's own script calls. */
  call(path: string, method = 'GET', more: Ask = {}): Promise<Visit> {
    const own = { origin: this.#app.origin, 'sec-fetch-site': 'same-origin', 'x-csrf': '1' }
    const { origin: _, ...safe } = own
    return this.ask(path, {
      ...more,
      method,
      headers: { ...(method === 'GET' ? safe : own), ...more.headers },
    })
  }

  /** To Postern and back to the callback's address, which is not visited yet. */
  async toCallback(query = ''): Promise<string> {
    const begun = await this.ask(`/auth/login${query}`)
    const asked = await this.browser.visit(String(begun.headers.get('location')))
    this.user ??= await this.#app.newUser()
    const signedIn = asked.text.includes('name="password"')
      ? await this.browser.submit(asked, {
          identifier: this.user.username,
          password: 'correct horse battery',
        })
      : asked
    const back = signedIn.url.startsWith(this.#app.origin)
      ? signedIn
      : await this.browser.submit(signedIn, { decision: 'allow' })
    return back.url.slice(this.#app.origin.length)
  }

  async signIn(query = ''): Promise<Visit> {
    return this.ask(await this.toCallback(query))
  }

  cookieHeader(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  #keep(text: string): void {
    const [pair = ''] = text.split(';')
    const equals = pair.indexOf('=')
    if (/max-age=0(;|$)/i.test(text)) this.cookies.delete(pair.slice(0, equals))
    else this.cookies.set(pair.slice(0, equals), pair.slice(equals + 1))
  }
}

interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | URLSearchParams
  readonly at?: string
}
