/** The adapter for MCP servers: what a handler is given, and what never reaches it. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import {
  createGuard,
  principalOf,
  protect,
  type AuthInfo,
  type McpFetch,
  type McpNodeRequest,
  type McpOptions,
} from '../src/adapters/mcp.ts'
import { protectedResource, type Verifier } from '../src/index.ts'
import { fakeServer } from './support/fake-server.ts'
import { verifierFor } from './support/verifier.ts'
import { accepted, aKey } from './support/wire.ts'

const MCP = 'https://notes.example.com/mcp'
const METADATA = 'https://notes.example.com/.well-known/oauth-protected-resource/mcp'
const OPTIONS: McpOptions<unknown> = {
  protectedResource: protectedResource({ resource: MCP, authorizationServers: 'https://auth.example.com' }),
  scopes: 'notes:read',
  toolScopes: { add_note: 'notes:write', purge: ['notes:write', 'notes:purge'] },
}

/** Answers a request for `path` with what the handler saw of it. */
type Ask = (init?: RequestInit, path?: string) => Promise<Response>

/** The two forms of the adapter. What they answer must be the same. */
const FORMS: Readonly<Record<string, (verifier: Verifier, t: TestContext) => Promise<Ask>>> = {
  protect: async (verifier) => {
    const handle: McpFetch = async (request, { authInfo, parsedBody }) =>
      Response.json({ authInfo, parsedBody, body: await request.text() })
    const serve = protect(verifier, handle, OPTIONS)
    return (init, path = '/mcp') => serve(new Request(`https://notes.example.com${path}`, init))
  },
  createGuard: async (verifier, t) => {
    const guard = createGuard(verifier, OPTIONS)
    const server = createServer((req, res) => {
      const request: McpNodeRequest = req
      guard(request, res, () => res.end(JSON.stringify({ authInfo: request.auth, parsedBody: request.body })))
    })
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    await new Promise<void>((resolve) => server.listen(0, resolve))
    const { port } = server.address() as AddressInfo
    return (init, path = '/mcp') => fetch(`http://localhost:${port}${path}`, init)
  },
}

const KEY = { 'x-api-key': aKey() }

function post(message: unknown, headers: Record<string, string> = KEY): RequestInit {
  const body = typeof message === 'string' ? message : JSON.stringify(message)
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body }
}

function toolCall(name: string): object {
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } }
}

for (const [name, form] of Object.entries(FORMS)) {
  const begin = async (t: TestContext, scopes = ['notes:read']) => {
    const principal = { resource: MCP, scopes, client_id: 'cli_0000000000000000000001' }
    const expiry = '2026-01-01T01:00:00Z'
    const server = await fakeServer(t, accepted({ principal: { ...principal, expires_at: expiry } }))
    return form(verifierFor(server, { resource: MCP }), t)
  }

  test(`${name}: tells the MCP SDK who calls`, async (t) => {
    const ask = await begin(t)
    const { authInfo } = (await (await ask({ headers: { authorization: `Bearer ${aKey()}` } })).json()) as {
      authInfo: AuthInfo
    }
    assert.equal(authInfo.token, aKey())
    assert.equal(authInfo.clientId, 'cli_0000000000000000000001')
    assert.deepEqual(authInfo.scopes, ['notes:read'])
    assert.equal(authInfo.expiresAt, Date.parse('2026-01-01T01:00:00Z') / 1000)
    assert.equal(authInfo.resource, MCP)
    assert.equal(authInfo.resourceMetadataUrl, METADATA)
    assert.equal(principalOf(authInfo as never).sub, 'acct_7')
  })

  test(`${name}: leads a client without a token to the metadata, and serves it`, async (t) => {
    const ask = await begin(t)
    const refused = await ask(post(toolCall('whoami'), {}))
    assert.equal(refused.status, 401)
    assert.equal(
      refused.headers.get('www-authenticate'),
      `Bearer realm="${MCP}", scope="notes:read", resource_metadata="${METADATA}"`,
    )
    const metadata = (await (await ask({}, new URL(METADATA).pathname)).json()) as { resource: string }
    assert.equal(metadata.resource, MCP)
  })

  test(`${name}: hands on the message that it has read`, async (t) => {
    const ask = await begin(t)
    const message = toolCall('whoami')
    const seen = (await (await ask(post(message))).json()) as { parsedBody: object; body?: string }
    assert.deepEqual(seen.parsedBody, message)
    if (seen.body !== undefined) assert.deepEqual(JSON.parse(seen.body), message)
  })

  test(`${name}: refuses a tool that needs more, naming what is held and what is missing`, async (t) => {
    const ask = await begin(t)
    const batch = [toolCall('whoami'), toolCall('purge')]
    for (const [message, scope] of [
      [toolCall('add_note'), 'notes:read notes:write'],
      [toolCall('purge'), 'notes:read notes:write notes:purge'],
      [batch, 'notes:read notes:write notes:purge'],
      ['{"method":"tools/call","params":{"name":"whoami","name":"add_note"}}', 'notes:read notes:write'],
    ] as const) {
      const refused = await ask(post(message))
      assert.equal(refused.status, 403)
      const challenge = refused.headers.get('www-authenticate') ?? ''
      assert.ok(challenge.includes('error="insufficient_scope"'), challenge)
      assert.ok(challenge.includes(`, scope="${scope}", resource_metadata="${METADATA}"`), challenge)
    }
    for (const message of [
      toolCall('constructor'),
      { method: 'tools/list' },
      { ...toolCall('add_note'), method: 'x' },
    ])
      assert.equal((await ask(post(message))).status, 200)
  })

  test(`${name}: lets a caller with the scope call the tool`, async (t) => {
    const ask = await begin(t, ['notes:read', 'notes:write'])
    assert.equal((await ask(post(toolCall('add_note')))).status, 200)
    assert.equal((await ask(post(toolCall('purge')))).status, 403)
  })

  test(`${name}: hands on nothing that it cannot read`, async (t) => {
    const ask = await begin(t)
    for (const text of ['{', '', 'null x']) assert.equal((await ask(post(text))).status, 400, text)
    const large = await ask(post(`"${'x'.repeat(4 * 1024 * 1024)}"`)).catch(() => undefined)
    if (name === 'protect') assert.equal(large?.status, 413)
    assert.notEqual(large?.status, 200)
  })
}

test('principalOf throws where no guard ran', () => {
  assert.throws(() => principalOf(undefined), /no Postern guard/)
  assert.throws(() => principalOf({ extra: {} }), /no Postern guard/)
})

test('refuses at start tools with scopes that no credential can hold', async (t) => {
  const verifier = verifierFor(await fakeServer(t, accepted()), { resource: MCP })
  const toolScopes = { add_note: 'notes:read notes:write' }
  assert.throws(() => createGuard(verifier, { ...OPTIONS, toolScopes }), /1 to 128 visible ASCII characters/)
})

test('createGuard: reads a body that a parser has left alone, whatever it says of it', async (t) => {
  const server = await fakeServer(t, accepted({ principal: { resource: MCP, scopes: ['notes:read'] } }))
  const guard = createGuard(verifierFor(server, { resource: MCP }), OPTIONS)
  const status = await new Promise<number>((resolve) => {
    const body = [JSON.stringify(toolCall('add_note'))]
    const request = Object.assign(
      { headers: KEY, method: 'POST', url: '/mcp', socket: {}, body: {}, readableDidRead: false },
      { [Symbol.asyncIterator]: () => body.values() as never },
    )
    const response = { statusCode: 200, setHeader: () => {}, end: () => resolve(response.statusCode) }
    guard(request, response, () => resolve(0))
  })
  assert.equal(status, 403)
})
