import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import type { Resource } from '../resources/index.ts'
import type { Tenant } from '../tenants/index.ts'
import {
  createTrustedIssuer,
  deleteTrustedIssuer,
  type IssuerContext,
  revokeForeignToken,
  revokeIssuedBefore,
  type TrustedIssuerInput,
  updateTrustedIssuer,
} from './change-trusted-issuers.ts'
import { findPresentedToken } from './find-presented-token.ts'
import { base64url, type Loose } from '../../test/tokens/forge.ts'
import { ISSUER, startNode, SYSTEM, TestClock, type TestNode } from '../../test/tokens/node.ts'
import { startProvider, type TestProvider } from '../../test/tokens/provider.ts'
import type { TrustedIssuer } from './trusted-issuer.ts'
import { TrustedIssuers } from './trusted-issuers.ts'

const AUDIENCE = 'api://orders'

onBothDatabases('trusted issuers', (fresh) => {
  let node: TestNode
  let other: TestNode
  let resource: Resource
  let tenant: Tenant
  let provider: TestProvider
  let second: TestProvider
  let context: IssuerContext
  let trusted: TrustedIssuer
  before(async () => {
    const clock = new TestClock()
    const database = await fresh()
    node = await startNode(database, { clock })
    other = await startNode(database, { clock })
    ;[provider, second] = await Promise.all([startProvider(), startProvider()])
    resource = await node.addResource('https://api.example.com')
    tenant = await node.addTenant('customer', 'org-1')
    context = { changes: node.changes, ownIssuer: ISSUER, allowLoopback: true }
    trusted = await trust({})
  })
  after(() => Promise.all([node.close(), other.close(), provider.close(), second.close()]))

  const input = (more: Partial<TrustedIssuerInput>): TrustedIssuerInput => ({
    issuer: provider.issuer,
    resourceId: resource.id,
    subjectPrefix: undefined,
    name: 'provider',
    audiences: [AUDIENCE],
    algorithms: ['RS256', 'ES256'],
    jwksUri: null,
    claims: {
      sub: 'sub',
      scopes: '/permissions/orders',
      scopeMap: { 'orders.r': ['read'], 'orders.all': ['read', 'write'] },
      roles: 'roles',
      tenant: { claim: 'org', by: 'external_id' },
    },
    longestTokenSeconds: 3_600,
    ...more,
  })
  const trust = async (more: Partial<TrustedIssuerInput>): Promise<TrustedIssuer> => {
    const made = await node.storage.write((tx) => createTrustedIssuer(tx, context, SYSTEM, input(more)))
    await Promise.all([node.trustedIssuers.load(), other.trustedIssuers.load()])
    return made
  }
  const claims = (more: Loose = {}): Loose => {
    const iat = Math.floor(node.clock.nowMs() / 1000)
    return {
      iss: provider.issuer,
      aud: AUDIENCE,
      sub: 'auth0|7',
      iat,
      exp: iat + 600,
      jti: 'j1',
      org: 'org-1',
      permissions: { orders: ['orders.all', 'admin'] },
      roles: ['agent'],
      azp: 'cli_0000000000000000000001',
      ...more,
    }
  }
  const find = (token: string, at = node) => findPresentedToken(at.tokenPorts, token)
  const codeOf = async (token: string, at = node): Promise<string> => {
    const answer = await find(token, at)
    if ('code' in answer) return answer.code
    return answer.revoked ? 'revoked' : answer.disabled ? 'disabled' : 'valid'
  }

  it('turns claims into a Principal by the map, and namespaces whoever it names', async () => {
    const answer = await find(provider.token(claims()))
    assert.ok('principal' in answer, JSON.stringify(answer))
    const { principal } = answer
    assert.equal(principal.sub, `${provider.issuer}|auth0|7`)
    assert.equal(principal.clientId, `${provider.issuer}|cli_0000000000000000000001`)
    assert.equal(principal.subType, 'external')
    assert.equal(principal.tenant, tenant.id)
    assert.equal(principal.resource, resource.uri)
    assert.deepEqual([principal.scopes, principal.roles], [['read', 'write'], ['agent']])
    assert.equal(principal.credential.id, `${trusted.id}:j1`)
  })

  it('takes another prefix for its subjects, and gives no two issuers the same', async () => {
    const made = await trust({ issuer: second.issuer, subjectPrefix: 'staff' })
    const answer = await find(second.token(claims({ iss: second.issuer })))
    assert.equal('principal' in answer && answer.principal.sub, 'staff|auth0|7')
    await assert.rejects(trust({ issuer: 'https://third.example', subjectPrefix: 'staff' }), {
      code: 'conflict',
    })
    await assert.rejects(trust({ issuer: 'https://a.example/|x' }), { code: 'invalid_request' })
    assert.ok(made.id !== trusted.id)
  })

  it("never checks one issuer's token with another one's key", async () => {
    // Both name their key `first`.
    assert.equal(await codeOf(second.token(claims({ iss: provider.issuer }))), 'unknown')
    assert.equal(await codeOf(provider.token(claims({ iss: second.issuer }))), 'unknown')
    assert.equal(await codeOf(provider.token(claims({ iss: ISSUER }), { typ: 'at+jwt' })), 'unknown')
    assert.equal(await codeOf(provider.token(claims({ iss: 'https://nobody.example' }))), 'unknown')
    assert.equal(await codeOf(provider.token(claims({ iss: `${provider.issuer}/` }))), 'unknown')
  })

  const iat = (): number => Math.floor(node.clock.nowMs() / 1000)
  const refusals: readonly (readonly [string, string, () => Loose])[] = [
    ['another audience', 'wrong_resource', () => ({ aud: 'its-own-client-id' })],
    ['no audience', 'unknown', () => ({ aud: undefined })],
    ['an expired token', 'expired', () => ({ iat: iat() - 700, exp: iat() - 100 })],
    ['one that outlived what was agreed', 'expired', () => ({ iat: iat() - 3_700, exp: iat() + 9_000 })],
    ['no exp', 'malformed', () => ({ exp: undefined })],
    ['no iat', 'malformed', () => ({ iat: undefined })],
    ['an iat that is no integer', 'malformed', () => ({ iat: iat() + 0.5 })],
    ['an iat from the future', 'not_yet_valid', () => ({ iat: iat() + 90, exp: iat() + 600 })],
    ['an nbf from the future', 'not_yet_valid', () => ({ nbf: iat() + 90 })],
    ['no subject', 'malformed', () => ({ sub: undefined })],
    ['a subject with a NUL', 'malformed', () => ({ sub: 'a\u0000' })],
    ['a tenant that nobody has', 'unknown', () => ({ org: 'org-9' })],
    ['no tenant', 'unknown', () => ({ org: undefined })],
    ['an ID token by its at_hash', 'unsupported', () => ({ at_hash: 'x' })],
    ['an ID token by its typ claim', 'unsupported', () => ({ typ: 'ID' })],
    ['a logout token', 'unsupported', () => ({ events: {} })],
    ['a binding to a certificate', 'unsupported', () => ({ cnf: { 'x5t#S256': 'x' } })],
    ['five actors', 'malformed', () => ({ act: nested(5) })],
  ]
  for (const [name, code, more] of refusals)
    it(`refuses ${name}`, async () => {
      assert.equal(await codeOf(provider.token(claims())), 'valid')
      assert.equal(await codeOf(provider.token(claims(more()))), code)
    })

  it('refuses types and algorithms that were not agreed', async () => {
    assert.equal(await codeOf(provider.token(claims(), { typ: 'logout+jwt' })), 'unsupported')
    assert.equal(await codeOf(provider.token(claims(), { alg: 'PS256' })), 'malformed')
    const [key] = provider.keys
    const parts = `${base64url({ alg: 'HS256', typ: 'JWT', kid: 'first' })}.${base64url(claims())}`
    const secret = key?.publicKey.export({ format: 'pem', type: 'spki' }) as string
    const forged = `${parts}.${createHmac('sha256', secret).update(parts).digest('base64url')}`
    assert.equal(await codeOf(forged), 'malformed')
    for (const algorithm of ['HS256', 'none', 'RS1'])
      await assert.rejects(trust({ issuer: 'https://x.example', algorithms: [algorithm] }), {
        code: 'invalid_request',
      })
  })

  it('fetches unknown keys once a cooldown, and finds a new key after it', async () => {
    await find(provider.token(claims()))
    provider.addKey('second', 'ES256')
    node.clock.advance(31_000)
    assert.equal(await codeOf(provider.token(claims())), 'valid')
    const before = provider.fetches
    for (let index = 0; index < 20; index++)
      assert.equal(await codeOf(provider.token(claims(), { kid: `invented-${index}` })), 'unknown')
    assert.ok(provider.fetches - before <= 1, `${provider.fetches - before} fetches`)
  })

  it('goes on with the keys it has for a day when they cannot be fetched, and no longer', async () => {
    await find(provider.token(claims()))
    provider.spoiled.set('/jwks', { status: 500, body: '' })
    node.clock.advance(3_600_000)
    assert.equal(await codeOf(provider.token(claims())), 'valid')
    assert.ok(node.failures.length > 0)
    node.clock.advance(86_400_000)
    assert.equal(await codeOf(provider.token(claims())), 'unavailable')
    provider.spoiled.clear()
    node.clock.advance(31_000)
    assert.equal(await codeOf(provider.token(claims())), 'valid')
  })

  it('follows no redirect, and believes no metadata of another issuer', async (test) => {
    const third = await startProvider()
    test.after(() => third.close())
    third.spoiled.set('/jwks', { status: 302, body: '', headers: { location: `${provider.issuer}/jwks` } })
    const made = await trust({ issuer: third.issuer })
    assert.equal(await codeOf(third.token(claims({ iss: third.issuer }))), 'unavailable')
    third.spoiled.clear()
    third.spoiled.set('/.well-known/openid-configuration', {
      status: 200,
      body: JSON.stringify({ issuer: provider.issuer, jwks_uri: `${third.issuer}/jwks` }),
    })
    node.clock.advance(31_000)
    assert.equal(await codeOf(third.token(claims({ iss: third.issuer }))), 'unavailable')
    third.spoiled.clear()
    node.clock.advance(31_000)
    assert.equal(await codeOf(third.token(claims({ iss: third.issuer }))), 'valid', 'the control')
    await node.storage.write((tx) => deleteTrustedIssuer(tx, context, SYSTEM, made.id))
  })

  it('revokes one token by its jti, on both nodes, and no other', async () => {
    const token = provider.token(claims({ jti: 'stolen' }))
    assert.equal(await codeOf(token, other), 'valid')
    await node.storage.write((tx) => revokeForeignToken(tx, context, SYSTEM, trusted.id, 'stolen'))
    assert.deepEqual([await codeOf(token), await codeOf(token, other)], ['revoked', 'revoked'])
    assert.equal(await codeOf(second.token(claims({ iss: second.issuer, jti: 'stolen' }))), 'valid')
  })

  it("applies levels by the token's iat", async () => {
    const token = provider.token(claims({ sub: 'leaver', iat: iat() - 10 }))
    const key = `${tenant.id}/${provider.issuer}|leaver`
    await node.storage.write(async (tx) =>
      node.changes.record(tx, SYSTEM, {
        action: 'test.ended',
        tenant: tenant.id,
        target: { type: 'subject', id: key },
        feed: { kind: 'subject', key, effect: 'revoked' },
      }),
    )
    assert.equal(await codeOf(token), 'revoked')
    node.clock.advance(2_000)
    assert.equal(await codeOf(provider.token(claims({ sub: 'leaver' }))), 'valid')
  })

  it('revokes what was issued before, never moves back, and refuses a time to come', async () => {
    const token = provider.token(claims())
    const revoke = (beforeMs?: number) =>
      node.storage.write((tx) => revokeIssuedBefore(tx, context, SYSTEM, trusted.id, beforeMs))
    await revoke()
    assert.deepEqual([await codeOf(token), await codeOf(token, other)], ['revoked', 'revoked'])
    await revoke(1_000)
    assert.equal(await codeOf(token), 'revoked')
    await assert.rejects(revoke(node.clock.nowMs() + 60_000), { code: 'invalid_request' })
    node.clock.advance(2_000)
    assert.equal(await codeOf(provider.token(claims())), 'valid')
  })

  it('gives an audience of one issuer to one resource', async () => {
    const another = await node.addResource('https://another.example.com')
    await assert.rejects(trust({ resourceId: another.id }), { code: 'conflict' })
    await trust({ resourceId: another.id, audiences: ['api://another'] })
    const answer = await find(provider.token(claims({ aud: 'api://another' })))
    assert.equal('principal' in answer && answer.principal.resource, another.uri)
    assert.equal(await codeOf(provider.token(claims({ aud: ['api://another', AUDIENCE] }))), 'wrong_resource')
  })

  it('cannot trust itself, plain http beyond loopback, or act for an operator of one tenant', async () => {
    await assert.rejects(trust({ issuer: `${ISSUER}/` }), { code: 'invalid_request' })
    context = { ...context, allowLoopback: false }
    await assert.rejects(trust({ issuer: 'http://plain.example' }), { code: 'invalid_request' })
    await assert.rejects(trust({ issuer: 'https://x.example', jwksUri: 'http://plain.example/jwks' }), {
      code: 'invalid_request',
    })
    context = { ...context, allowLoopback: true }
    const confined = { ...SYSTEM, tenant: tenant.id }
    await assert.rejects(
      node.storage.write((tx) => updateTrustedIssuer(tx, context, confined, trusted.id, { name: 'x' })),
      { code: 'forbidden' },
    )
  })

  it('goes by the agreement as it is now, also where news of a change is late', async () => {
    const late = new TrustedIssuers({
      storage: node.storage,
      clock: node.clock,
      guard: { allowLoopback: true },
    })
    await late.load()
    const ports = { ...node.tokenPorts, trustedIssuers: late }
    const token = provider.token(claims())
    assert.ok('principal' in (await findPresentedToken(ports, token)))
    node.clock.advance(1)
    const change = (audiences: string[]) =>
      node.storage.write((tx) => updateTrustedIssuer(tx, context, SYSTEM, trusted.id, { audiences }))
    await change(['api://renamed'])
    const answer = await findPresentedToken(ports, token)
    assert.equal('code' in answer && answer.code, 'wrong_resource')
    node.clock.advance(1)
    await change([AUDIENCE])
    await Promise.all([node.trustedIssuers.load(), other.trustedIssuers.load()])
  })

  it('refuses everything of a deleted issuer at once, on both nodes', async () => {
    const token = provider.token(claims())
    assert.equal(await codeOf(token, other), 'valid')
    await node.storage.write((tx) => deleteTrustedIssuer(tx, context, SYSTEM, trusted.id))
    for (const each of [node, other])
      assert.ok(['revoked', 'unknown', 'wrong_resource'].includes(await codeOf(token, each)))
  })
})

function nested(depth: number): Loose {
  return depth === 1 ? { sub: 'a' } : { sub: 'a', act: nested(depth - 1) }
}
