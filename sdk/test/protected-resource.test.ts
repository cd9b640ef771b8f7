/** The metadata of a protected resource (RFC 9728), and that each adapter serves the same at the same place. */
import assert from 'node:assert/strict'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import * as expressAdapter from '../src/adapters/express.ts'
import { postern } from '../src/adapters/fastify.ts'
import * as honoAdapter from '../src/adapters/hono.ts'
import { createGuard as nextGuard, metadataRoute } from '../src/adapters/next.ts'
import * as nodeAdapter from '../src/adapters/node.ts'
import { PROOF_ALGORITHMS } from '../../server/src/kernel/index.ts'
import { metadataAnswer, protectedResource, type Verifier } from '../src/index.ts'
import { fakeServer } from './support/fake-server.ts'
import { verifierFor } from './support/verifier.ts'
import { accepted, aKey } from './support/wire.ts'

const ISSUER = 'https://auth.example.com'
const RESOURCE = 'https://api.example.com/v1/mcp'
const OPTIONS = { resource: RESOURCE, authorizationServers: ISSUER }
const WHOLE = protectedResource({
  ...OPTIONS,
  scopes: ['orders:read', 'orders:write'],
  name: 'Orders',
  documentation: 'https://docs.example.com',
  dpopAlgorithms: ['ES256', 'EdDSA'],
  dpopRequired: true,
})
const PATH = '/.well-known/oauth-protected-resource/v1/mcp'

test('says all that it was told, in the words of RFC 9728', () => {
  assert.deepEqual(WHOLE.metadata, {
    resource: RESOURCE,
    authorization_servers: [ISSUER],
    scopes_supported: ['orders:read', 'orders:write'],
    bearer_methods_supported: ['header'],
    resource_name: 'Orders',
    resource_documentation: 'https://docs.example.com',
    dpop_signing_alg_values_supported: ['ES256', 'EdDSA'],
    dpop_bound_access_tokens_required: true,
  })
  assert.deepEqual(protectedResource(OPTIONS).metadata, {
    resource: RESOURCE,
    authorization_servers: [ISSUER],
    bearer_methods_supported: ['header'],
  })
})

test('names no algorithm of proofs that verify would refuse', () => {
  assert.deepEqual(
    protectedResource({ ...OPTIONS, dpopAlgorithms: PROOF_ALGORITHMS }).dpopAlgorithms,
    PROOF_ALGORITHMS,
  )
  for (const name of ['HS256', 'none', 'ES256K', 'es256', ''])
    assert.throws(
      () => protectedResource({ ...OPTIONS, dpopAlgorithms: ['ES256', name] }),
      /dpopAlgorithms names ".*", by which no proof is accepted/,
    )
})

test("puts the well-known part before the resource's own path (RFC 9728, section 3.1)", () => {
  const urlFor = (resource: string) => protectedResource({ ...OPTIONS, resource }).metadataUrl
  const start = 'https://api.example.com/.well-known/oauth-protected-resource'
  assert.equal(urlFor('https://api.example.com'), start)
  assert.equal(urlFor('https://api.example.com/'), start)
  assert.equal(urlFor('https://api.example.com/mcp'), `${start}/mcp`)
  assert.equal(urlFor('https://api.example.com/mcp/'), `${start}/mcp/`)
  assert.equal(
    urlFor('http://localhost:3000/mcp'),
    'http://localhost:3000/.well-known/oauth-protected-resource/mcp',
  )
})

test('refuses at start what no client could use', () => {
  const wrong = [
    'http://api.example.com',
    'urn:api',
    'api',
    '',
    'https://a@b.example',
    'https://b.example/#x',
    7,
  ]
  for (const text of wrong) {
    assert.throws(
      () => protectedResource({ ...OPTIONS, resource: text as string }),
      /resource must be an https URL/,
    )
    assert.throws(
      () => protectedResource({ ...OPTIONS, authorizationServers: text as string }),
      /authorizationServers must be an https URL/,
    )
  }
  assert.throws(() => protectedResource({ ...OPTIONS, resource: 'https://b.example/?a=b' }), /query/)
  assert.throws(() => protectedResource({ ...OPTIONS, authorizationServers: [] }), /at least one/)
})

test('answers for its own path alone, to a page of any origin', () => {
  for (const url of [PATH, `${PATH}?x=1`, `https://api.example.com${PATH}`]) {
    const answer = metadataAnswer(WHOLE, 'GET', url)
    assert.equal(answer?.status, 200)
    assert.equal(answer?.headers['access-control-allow-origin'], '*')
    assert.equal(answer?.headers['content-type'], 'application/json')
  }
  for (const url of ['/', '/.well-known/oauth-protected-resource', `${PATH}/x`, `/x${PATH}`, `/?${PATH}`, ''])
    assert.equal(metadataAnswer(WHOLE, 'GET', url), undefined, url)
  assert.equal(metadataAnswer(WHOLE, 'OPTIONS', PATH)?.headers['access-control-allow-headers'], '*')
  assert.equal(metadataAnswer(WHOLE, 'POST', PATH)?.status, 405)
})

test('is that of the API which the verifier answers for', async (t) => {
  const verifier = verifierFor(await fakeServer(t, accepted()))
  const options = { protectedResource: WHOLE }
  assert.throws(
    () => expressAdapter.createGuard(verifier, options),
    /answers for https:\/\/api\.example\.com/,
  )
  assert.throws(() => honoAdapter.createGuard(verifier, options), TypeError)
  assert.throws(() => nextGuard(verifier, options), TypeError)
  assert.throws(() => nodeAdapter.protect(verifier, () => {}, options), TypeError)
  assert.throws(() => postern(fastify(), { verifier, ...options }, () => {}), TypeError)
})

/** Serves `GET /v1/mcp` for callers with orders:read, and the metadata. Answers the port. */
type Start = (verifier: Verifier, t: TestContext) => Promise<number> | number

const options = { protectedResource: WHOLE }

const ADAPTERS: Readonly<Record<string, Start>> = {
  express: async (verifier, t) => {
    const app = express()
    app.use(expressAdapter.serveMetadata(WHOLE))
    app.get('/v1/mcp', expressAdapter.createGuard(verifier, options)('orders:read'), (_req, res) => {
      res.end('in')
    })
    return listen(createServer(app), t)
  },
  fastify: async (verifier, t) => {
    const app = fastify()
    t.after(() => app.close())
    await app.register(postern, { verifier, ...options })
    app.get('/v1/mcp', { onRequest: app.requireScopes('orders:read') }, async () => 'in')
    await app.listen({ port: 0 })
    return (app.server.address() as AddressInfo).port
  },
  hono: (verifier, t) => {
    const app = new Hono()
    app.use(honoAdapter.serveMetadata(WHOLE))
    app.get('/v1/mcp', honoAdapter.createGuard(verifier, options)('orders:read'), (c) => c.text('in'))
    return listen(
      webServer((request) => app.fetch(request)),
      t,
    )
  },
  node: (verifier, t) => {
    const handle = nodeAdapter.protect(verifier, (_req, res) => res.end('in'), {
      ...options,
      scopes: 'orders:read',
    })
    return listen(
      createServer((req, res) => {
        if (!nodeAdapter.serveMetadata(WHOLE, req, res)) void handle(req, res)
      }),
      t,
    )
  },
  next: (verifier, t) => {
    const guarded = nextGuard(verifier, options)('orders:read', () => new Response('in'))
    const { GET, OPTIONS: preflight } = metadataRoute(WHOLE)
    const answer = (request: Request) => {
      if (new URL(request.url).pathname === '/v1/mcp') return guarded(request, {})
      return request.method === 'OPTIONS' ? preflight(request) : GET(request)
    }
    return listen(webServer(answer), t)
  },
}

for (const [name, start] of Object.entries(ADAPTERS)) {
  test(`${name}: leads a client from the challenge to the metadata`, async (t) => {
    const server = await fakeServer(t, accepted({ principal: { resource: RESOURCE } }))
    const port = await start(verifierFor(server, { resource: RESOURCE }), t)
    const base = `http://localhost:${port}`

    const refused = await fetch(`${base}/v1/mcp`)
    assert.equal(refused.status, 401)
    assert.equal(
      refused.headers.get('www-authenticate'),
      `Bearer realm="${RESOURCE}", scope="orders:read", resource_metadata="https://api.example.com${PATH}", ` +
        'DPoP algs="ES256 EdDSA"',
    )
    const metadata = await fetch(base + PATH)
    assert.equal(metadata.status, 200)
    assert.match(metadata.headers.get('content-type') ?? '', /^application\/json/)
    assert.deepEqual(await metadata.json(), WHOLE.metadata)
    const preflight = await fetch(base + PATH, { method: 'OPTIONS' })
    assert.equal(preflight.status, 204)
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*')
    assert.notEqual((await fetch(`${base}/.well-known/oauth-protected-resource`)).status, 200)

    const good = await fetch(`${base}/v1/mcp`, { headers: { 'x-api-key': aKey() } })
    assert.equal(await good.text(), 'in')
  })
}

function listen(server: Server, t: TestContext): Promise<number> {
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return new Promise((resolve) => server.listen(0, () => resolve((server.address() as AddressInfo).port)))
}

/** Node's server in front of a function from `Request` to `Response`; bodies of requests are not read. */
function webServer(answer: (request: Request) => Response | Promise<Response>): Server {
  return createServer(async (req, res) => {
    const headers = Object.entries(req.headers).map(
      ([key, value]) => [key, String(value)] as [string, string],
    )
    const request = new Request(`http://localhost${req.url}`, { method: req.method ?? 'GET', headers })
    const response = await answer(request)
    res.writeHead(response.status, Object.fromEntries(response.headers))
    res.end(await response.text())
  })
}
