import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { freshSqlite, type TestDatabase } from '../../test/databases.ts'
import { createServer } from '../http/index.ts'
import type { Caller } from '../kernel/index.ts'
import { Idempotency } from '../storage/index.ts'
import { signingKeyRoutes } from './routes.ts'
import { ISSUER, ROOT_SECRET, startNode, SYSTEM, type TestNode } from '../../test/tokens/node.ts'
import { trustedIssuerRoutes } from './trusted-issuer-routes.ts'

let database: TestDatabase
let node: TestNode
let server: FastifyInstance
let caller: Caller
before(async () => {
  database = freshSqlite()
  node = await startNode(database)
  caller = SYSTEM
  server = createServer({ logger: pino({ level: 'silent' }), authenticate: () => caller })
  signingKeyRoutes(server, {
    ...node.keyPorts,
    signingKeys: node.signingKeys,
    issuer: 'https://id.example.com',
  })
  trustedIssuerRoutes(server, {
    storage: node.storage,
    changes: node.changes,
    idempotency: new Idempotency(node.storage, ROOT_SECRET, node.clock),
    ownIssuer: ISSUER,
    allowLoopback: false,
  })
})
after(async () => {
  await server.close()
  await node.close()
  await database.drop()
})

const post = (url: string, payload: object = {}) => server.inject({ method: 'POST', url, payload })

it('serves the JWKS to everyone, to be cached, without private members', async () => {
  const answer = await server.inject('/jwks')
  assert.equal(answer.statusCode, 200)
  assert.equal(answer.headers['cache-control'], 'public, max-age=300')
  assert.match(String(answer.headers['content-type']), /^application\/json/)
  const { keys } = answer.json<{ keys: Record<string, string>[] }>()
  assert.deepEqual(Object.keys(keys[0] ?? {}).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  const again = await server.inject({
    url: '/jwks',
    headers: { 'if-none-match': String(answer.headers.etag) },
  })
  assert.deepEqual([again.statusCode, again.body], [304, ''])
})

it('rotates: the next key is in the JWKS before it signs, and the ETag changes', async () => {
  const before = await server.inject('/jwks')
  const next = await post('/v1/signing-keys/rotate')
  assert.equal(next.statusCode, 200, next.body)
  const body = next.json<{ id: string; state: string; activates_at: string; created_at: string }>()
  assert.equal(body.state, 'next')
  assert.equal(Date.parse(body.activates_at) - Date.parse(body.created_at), 900_000)
  const now = await server.inject('/jwks')
  assert.match(now.body, new RegExp(body.id))
  assert.notEqual(now.headers.etag, before.headers.etag)
  const list = (await server.inject('/v1/signing-keys')).json<{ data: { state: string }[] }>()
  assert.deepEqual(list.data.map(({ state }) => state).sort(), ['active', 'next'])
})

it('refuses HS256 with a sentence, and what is no algorithm', async () => {
  const answer = await post('/v1/signing-keys/rotate', { algorithm: 'HS256' })
  assert.equal(answer.statusCode, 400)
  assert.match(answer.json<{ detail: string }>().detail, /docs\/leaving-hs256\.md/)
  assert.equal((await post('/v1/signing-keys/rotate', { algorithm: 'none' })).statusCode, 400)
})

it('revokes: the key leaves the JWKS at once and another one signs', async () => {
  const { kid } = node.signingKeys.active('ES256')
  const answer = await post(`/v1/signing-keys/${kid}/revoke`, { reason: 'stolen' })
  assert.equal(answer.json<{ state: string }>().state, 'revoked')
  assert.doesNotMatch((await server.inject('/jwks')).body, new RegExp(kid))
  assert.notEqual(node.signingKeys.active('ES256').kid, kid)
  assert.equal((await post('/v1/signing-keys/nobody/revoke')).statusCode, 404)
})

it('lets deployment operators alone do any of it', async () => {
  caller = { ...SYSTEM, tenant: 'ten_0000000000000000000001' }
  for (const url of ['/v1/signing-keys', '/v1/trusted-issuers', '/v1/trusted-issuers/iss_1'])
    assert.equal((await server.inject(url)).statusCode, 403, url)
  for (const url of [
    '/v1/signing-keys/rotate',
    '/v1/signing-keys/x/revoke',
    '/v1/trusted-issuers/x/revoke-before',
  ])
    assert.equal((await post(url)).statusCode, 403, url)
  caller = { ...SYSTEM, scopes: ['keys:write'] }
  assert.equal((await server.inject('/v1/signing-keys')).statusCode, 403)
  caller = SYSTEM
})

it('keeps an agreement with an issuer: made, read, changed, ended', async () => {
  const resource = await node.addResource('https://api.example.com')
  const tenant = await node.addTenant('customer')
  const input = {
    issuer: 'https://example.eu.auth0.com/',
    resource: resource.uri,
    name: 'Auth0',
    audiences: ['https://orders'],
    claims: { tenant: tenant.id, scope_map: { 'orders.r': ['read'] } },
  }
  const made = await post('/v1/trusted-issuers', input)
  assert.equal(made.statusCode, 201, made.body)
  const issuer = made.json<{ id: string; subject_prefix: string; claims: object }>()
  assert.equal(issuer.subject_prefix, input.issuer)
  assert.deepEqual(issuer.claims, {
    sub: 'sub',
    scopes: 'scope',
    scope_map: { 'orders.r': ['read'] },
    roles: null,
    tenant: tenant.id,
  })
  assert.equal((await post('/v1/trusted-issuers', input)).statusCode, 409)
  assert.equal((await post('/v1/trusted-issuers', { ...input, claims: {} })).statusCode, 400)
  assert.equal((await post('/v1/trusted-issuers', { ...input, algorithms: ['HS256'] })).statusCode, 400)
  assert.equal((await post('/v1/trusted-issuers', { ...input, issuer: 'http://x.example' })).statusCode, 400)

  const url = `/v1/trusted-issuers/${issuer.id}`
  const patched = await server.inject({ method: 'PATCH', url, payload: { algorithms: ['ES256'] } })
  assert.deepEqual(patched.json<{ algorithms: string[] }>().algorithms, ['ES256'])
  const revoked = await post(`${url}/revoke-before`)
  assert.match(String(revoked.json<{ revoked_before: string }>().revoked_before), /^20/)
  assert.equal((await post(`${url}/revoke-token`, { jti: 'a' })).statusCode, 204)
  assert.equal((await server.inject({ method: 'DELETE', url })).statusCode, 204)
  assert.equal((await server.inject(url)).statusCode, 404)
  assert.equal((await post(`${url}/revoke-before`)).statusCode, 404)
})
