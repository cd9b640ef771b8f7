/** Through each adapter: tokens that are bound to a key, and what a route asks of a sign-in and of the feed. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { createGuard as mcpGuard, type McpNodeRequest, protect as mcpProtect } from '../src/adapters/mcp.ts'
import { createGuard as nextGuard, createProxyGuard } from '../src/adapters/next.ts'
import { protectedResource, type Verifier } from '../src/index.ts'
import { createTestIssuer, type TestIssuer } from '../src/testing/index.ts'
import type { StartApi } from './adapters.test.ts'
import { type DpopHolder, dpopHolder, proof, proofClaims } from './support/dpop-holder.ts'
import { expressApi } from './support/express-api.ts'
import { fastifyApi } from './support/fastify-api.ts'
import { honoApi } from './support/hono-api.ts'
import { nodeApi } from './support/node-api.ts'

const API = 'https://api.example.com'
const STRONG = { acrValues: ['high'], maxAgeSeconds: 600, whenDegraded: 'closed' } as const

/** Answers a request for `/orders`, or for `/strong`, which asks for more. */
type Ask = (path: string, headers: Record<string, string>, method?: string) => Promise<Response>

type Form = (verifier: Verifier, t: TestContext) => Promise<Ask>

const overHttp =
  (start: StartApi): Form =>
  async (verifier, t) => {
    const api = await start(verifier)
    t.after(() => api.close())
    return (path, headers, method = 'GET') =>
      fetch(`http://127.0.0.1:${api.port}${path}`, { headers, method })
  }

const asRequest = (serve: (request: Request, isStrong: boolean) => Promise<Response>): Ask => {
  // A proxy in front has another name than callers know.
  return (path, headers, method = 'GET') =>
    serve(new Request(`http://internal:3000${path}`, { headers, method }), path.startsWith('/strong'))
}

const METADATA = protectedResource({ resource: API, authorizationServers: 'https://auth.example.com' })
const mcpOptions = { protectedResource: METADATA, scopes: 'orders:read' }

const FORMS: Readonly<Record<string, Form>> = {
  express: overHttp(expressApi),
  fastify: overHttp(fastifyApi),
  hono: overHttp(honoApi),
  node: overHttp(nodeApi),
  next: async (verifier) => {
    const postern = nextGuard(verifier)
    const handler = () => Response.json({})
    const routes = [postern('orders:read', handler), postern('orders:read', handler, STRONG)] as const
    return asRequest((request, isStrong) => routes[isStrong ? 1 : 0](request, {}))
  },
  'next, as a proxy': async (verifier) => {
    const check = createProxyGuard(verifier)
    return asRequest(
      async (request, isStrong) =>
        (await check(request, 'orders:read', isStrong ? STRONG : {})) ?? Response.json({}),
    )
  },
  'mcp, protect': async (verifier) => {
    const handle = () => Response.json({})
    const routes = [
      mcpProtect(verifier, handle, mcpOptions),
      mcpProtect(verifier, handle, { ...mcpOptions, ...STRONG }),
    ] as const
    return asRequest((request, isStrong) => routes[isStrong ? 1 : 0](request))
  },
  'mcp, createGuard': async (verifier, t) => {
    const guards = [mcpGuard(verifier, mcpOptions), mcpGuard(verifier, { ...mcpOptions, ...STRONG })] as const
    const server = createServer((request, response) =>
      guards[request.url?.startsWith('/strong') ? 1 : 0](request as McpNodeRequest, response, () =>
        response.end('{}'),
      ),
    )
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return (path, headers, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { headers, method })
  },
}

async function setUp(form: Form, t: TestContext) {
  const issuer = await createTestIssuer({ resource: API })
  const verifier = await issuer.createLiveVerifier()
  return { issuer, ask: await form(verifier, t) }
}

async function bound(
  issuer: TestIssuer,
  key: DpopHolder,
): Promise<(htm: string, htu: string) => Record<string, string>> {
  const { text } = await issuer.issueToken({ scopes: ['orders:read'], claims: { cnf: { jkt: key.jkt } } })
  return (htm, htu) => ({
    authorization: `DPoP ${text}`,
    dpop: proof(key, proofClaims(htm, htu, { token: text, nowMs: issuer.clock.nowMs() })),
  })
}

const codeOf = async (answer: Response): Promise<unknown> => ((await answer.json()) as { code?: string }).code

for (const [name, form] of Object.entries(FORMS)) {
  test(`${name}: takes a bound token with a proof for this request, and not without`, async (t) => {
    const { issuer, ask } = await setUp(form, t)
    const key = dpopHolder()
    const proven = await bound(issuer, key)
    const good = proven('GET', `${API}/orders`)
    assert.equal((await ask('/orders?page=2', good)).status, 200)
    const replayed = await ask('/orders?page=2', good)
    assert.equal(replayed.status, 401)
    assert.match(
      replayed.headers.get('www-authenticate') ?? '',
      /DPoP realm="[^"]*", error="invalid_dpop_proof"/,
    )
    assert.equal(await codeOf(replayed), 'proof_invalid')
    for (const [what, headers, code] of [
      ['another method', proven('DELETE', `${API}/orders`), 'proof_invalid'],
      ['another path', proven('GET', `${API}/refunds`), 'proof_invalid'],
      [
        'another key',
        (await bound(issuer, { ...dpopHolder(), jkt: key.jkt }))('GET', `${API}/orders`),
        'proof_invalid',
      ],
      ['no proof', { authorization: good['authorization'] as string }, 'proof_required'],
      ['as a bearer', { authorization: `Bearer ${good['authorization']?.slice(5)}` }, 'proof_required'],
    ] as const) {
      const refused = await ask('/orders', headers)
      assert.equal(refused.status, 401, what)
      assert.equal(await codeOf(refused), code, what)
    }
    assert.equal((await ask('/orders', proven('GET', `${API}/orders`))).status, 200)
  })

  test(`${name}: asks for the sign-in that the route needs, and closes when the route says so`, async (t) => {
    const { issuer, ask } = await setUp(form, t)
    const signedIn = async (acr: string, secondsAgo: number) => {
      const claims = { acr, auth_time: Math.floor(issuer.clock.nowMs() / 1000) - secondsAgo }
      const { text } = await issuer.issueToken({ scopes: ['orders:read'], lifetimeSeconds: 3600, claims })
      return { authorization: `Bearer ${text}` }
    }
    const strong = await signedIn('high', 5)
    assert.equal((await ask('/strong', strong)).status, 200)
    for (const weak of [await signedIn('low', 5), await signedIn('high', 700)]) {
      const refused = await ask('/strong', weak)
      assert.equal(refused.status, 401)
      assert.match(
        refused.headers.get('www-authenticate') ?? '',
        /error="insufficient_user_authentication".*acr_values="high".*max_age="?600/,
      )
      assert.equal((await ask('/orders', weak)).status, 200)
    }
    issuer.faults.feed = 'down'
    issuer.feed.breakOff()
    await issuer.clock.advance(31_000)
    const closed = await ask('/strong', strong)
    assert.equal(closed.status, 503)
    assert.equal(await codeOf(closed), 'stale')
    assert.equal((await ask('/orders', strong)).status, 200)
  })
}
