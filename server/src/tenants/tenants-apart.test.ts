/** Tenants and resources are kept apart: to an operator of one, what belongs to another does not exist. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  type Answer,
  eventually,
  issueKey,
  type Json,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
  unique,
  verdict,
  verify,
} from '../../test/deployment.ts'
import { MANAGEMENT_SCOPES } from '../kernel/index.ts'

const EVERYTHING = MANAGEMENT_SCOPES.map((scope) => scope.name)

/** Bodies that would be a success for an id that is reached. */
const BODIES: Readonly<Record<string, unknown>> = {
  'PATCH /v1/tenants/:id': { name: 'taken over' },
  'PATCH /v1/resources/:id': { name: 'taken over' },
  'PATCH /v1/keys/:id': { name: 'taken over' },
  'PATCH /v1/clients/:id': { name: 'taken over' },
  'PATCH /v1/users/:id': { name: 'taken over' },
  'POST /v1/users/:id/password': { password: 'correct horse battery' },
  'PUT /v1/users/:id/tenants/:tenant': { roles: [] },
  'PATCH /v1/plans/:id': { name: 'taken-over' },
  'PUT /v1/limits/:on/:id': { limits: [] },
  'PATCH /v1/webhooks/:id': { name: 'taken over' },
  'PATCH /v1/trusted-issuers/:id': { name: 'taken over' },
  'PATCH /v1/sign-in-providers/:id': { name: 'taken over' },
  'PATCH /v1/gateway/routes/:id': { path: '/taken-over' },
  'POST /v1/trusted-issuers/:id/revoke-token': { jti: 'x' },
}

onBothDatabases('tenants apart', (fresh) => {
  let node: Node
  let api: Json
  let otherApi: Json
  let mine: Json
  let theirs: Json
  let theirKey: Json
  let theirHook: Json
  let theirLeak: Json
  let theirOperator: Json
  let theirClient: Json
  let theirUser: Json
  let theirRevocation: string
  /** An operator of `mine` who holds every scope. */
  let operator: string
  /** A deployment operator who is confined to `api`. */
  let confined: string
  before(async () => {
    node = await openNode(await fresh())
    api = await newResource(node)
    otherApi = await newResource(node)
    mine = await newTenant(node, { external_id: unique() })
    theirs = await newTenant(node, { external_id: unique() })
    theirHook = await node.done('POST', '/v1/webhooks', {
      url: 'https://app.example.com/',
      tenant: theirs.id,
    })
    theirLeak = await issueKey(node, otherApi, { tenant: theirs.id })
    await node.done('POST', '/v1/leaks', { reports: [{ token: theirLeak.key }] })
    theirKey = await issueKey(node, otherApi, { tenant: theirs.id, owner: 'them' })
    theirOperator = await newOperator(node, EVERYTHING, { tenant: theirs.id })
    theirClient = await node.done('POST', '/v1/clients', { name: 'x', kind: 'service', tenant: theirs.id })
    theirUser = await node.done('POST', '/v1/users', { username: unique(), name: 'x' })
    await node.done('PUT', `/v1/users/${theirUser.id}/tenants/${theirs.id}`, { roles: [] })
    const gone = await issueKey(node, otherApi, { tenant: theirs.id })
    const { targets } = await node.done('POST', '/v1/revocations', {
      targets: [{ kind: 'api_key', id: gone.id }],
    })
    theirRevocation = targets[0].revocation
    operator = (await newOperator(node, EVERYTHING, { tenant: mine.id })).key
    confined = (await newOperator(node, EVERYTHING, { resources: [api.uri] })).key
  })
  after(() => node.close())

  /** What was sent, without what names the request. */
  const sameness = ({ status, text, headers }: Answer): unknown => {
    // Its length differs with the request's name alone.
    const varying = new Set(['x-request-id', 'date', 'content-length'])
    const kept = Object.entries(headers).filter(([name]) => !varying.has(name))
    return [status, text.replace(/urn:postern:request:[\w-]+/, ''), Object.fromEntries(kept)]
  }

  it('answers for an id of another tenant as for one that does not exist, on every route with an id', async () => {
    const foreign: Record<string, string> = {
      webhooks: theirHook.id,
      tenants: theirs.id,
      keys: theirKey.id,
      operators: theirOperator.id,
      resources: otherApi.id,
      clients: theirClient.id,
      users: theirUser.id,
      revocations: theirRevocation,
      'signing-keys': 'a signing key of the deployment',
      'trusted-issuers': 'a trusted issuer of the deployment',
      'sign-in-providers': 'a provider of the deployment',
      gateway: 'a route of the deployment',
      plans: 'a plan of the deployment',
      limits: theirKey.id,
      usage: theirKey.id,
      me: theirKey.id,
    }
    const routes = node.deployment.server.posternHttp.routes.filter(({ url }) => /^\/v1\/.*:id/.test(url))
    assert.ok(routes.length >= 15)
    for (const { method, url } of routes) {
      const noun = url.split('/')[2] as string
      const id = foreign[noun]
      assert.ok(id !== undefined, `this test knows no foreign id for ${url}`)
      const unknown = id.slice(0, -3) + (id.endsWith('zzz') ? 'yyy' : 'zzz')
      const body = method === 'GET' || method === 'DELETE' ? undefined : (BODIES[`${method} ${url}`] ?? {})
      // Resources belong to the deployment: only the operator who is confined to others does not reach one.
      const key = noun === 'resources' ? confined : operator
      const [a, b] = await Promise.all(
        [id, unknown].map((one) =>
          node.request(method, url.replace(':on', 'key').replace(':id', one), { body, key }),
        ),
      )
      assert.deepEqual(sameness(a as Answer), sameness(b as Answer), `${method} ${url}`)
      assert.ok([403, 404].includes((a as Answer).status), `${method} ${url}: ${a?.status}`)
    }
  })

  it('answers for an id of another resource as for one that does not exist', async () => {
    const unknown = `${theirKey.id.slice(0, -3)}zzz`
    const routes = node.deployment.server.posternHttp.routes.filter(({ url }) =>
      url.startsWith('/v1/keys/:id'),
    )
    for (const { method, url } of routes) {
      const body = method === 'GET' ? undefined : (BODIES[`${method} ${url}`] ?? {})
      const [a, b] = await Promise.all(
        [theirKey.id, unknown].map((one) =>
          node.request(method, url.replace(':id', one), { body, key: confined }),
        ),
      )
      assert.deepEqual(sameness(a as Answer), sameness(b as Answer), `${method} ${url}`)
      assert.equal(a?.status, 404)
    }
  })

  it('finds nothing of another tenant by any filter', async () => {
    const unknown = { tenant: `${theirs.id.slice(0, -3)}zzz`, key: `${theirKey.id.slice(0, -3)}zzz` }
    const pairs: [string, string][] = [
      [`/v1/keys?tenant=${theirs.id}`, `/v1/keys?tenant=${unknown.tenant}`],
      [`/v1/keys?owner=them`, `/v1/keys?owner=nobody`],
      [`/v1/keys?resource=${otherApi.id}`, `/v1/keys?resource=${otherApi.id}&owner=nobody`],
      [`/v1/keys/export?tenant=${theirs.id}`, `/v1/keys/export?tenant=${unknown.tenant}`],
      [`/v1/leaks?tenant=${theirs.id}`, `/v1/leaks?tenant=${unknown.tenant}`],
      [`/v1/leaks?key=${theirLeak.id}`, `/v1/leaks?key=${unknown.key}`],
      [`/v1/tenants?external_id=${theirs.external_id}`, '/v1/tenants?external_id=nobody'],
      [`/v1/audit?tenant=${theirs.id}`, `/v1/audit?tenant=${unknown.tenant}`],
      [`/v1/audit?target=${theirKey.id}`, `/v1/audit?target=${unknown.key}`],
      [`/v1/audit?actor=${theirOperator.id}`, `/v1/audit?actor=${unknown.key}`],
      [`/v1/revocations?tenant=${theirs.id}`, `/v1/revocations?tenant=${unknown.tenant}`],
      [`/v1/activity?tenant=${theirs.id}`, `/v1/activity?tenant=${unknown.tenant}`],
      [`/v1/activity?credential=${theirKey.id}`, `/v1/activity?credential=${unknown.key}`],
    ]
    await verify(node, theirKey.key, { scopes: ['orders:refund'], ip: '192.0.2.1' })
    await eventually(
      'the refusal is written',
      async () => (await node.done('GET', `/v1/activity?credential=${theirKey.id}`)).data.length === 1,
      5_000,
    )
    for (const [foreign, none] of pairs) {
      const [a, b] = await Promise.all(
        [foreign, none].map((path) => node.request('GET', path, { key: operator })),
      )
      assert.deepEqual(sameness(a as Answer), sameness(b as Answer), foreign)
      assert.equal(a?.status, 200)
    }
    // The deployment's operator finds all of these: the filters are right.
    for (const [foreign] of pairs.filter(([path]) => !path.includes('actor='))) {
      const seen = await node.request('GET', foreign)
      assert.ok(seen.text.includes(theirs.id), foreign)
    }
    const tenants = await node.done('GET', '/v1/tenants', undefined, operator)
    assert.deepEqual(
      tenants.data.map((one: Json) => one.id),
      [mine.id],
    )
    const operators = await node.done('GET', '/v1/operators', undefined, operator)
    assert.ok(operators.data.every((one: Json) => one.tenant === mine.id))
    const resources = await node.done('GET', '/v1/resources', undefined, confined)
    assert.deepEqual(
      resources.data.map((one: Json) => one.id),
      [api.id],
    )
  })

  it('lets no creation and no bulk work reach into another tenant', async () => {
    const unknown = `${theirs.id.slice(0, -3)}zzz`
    const digest = '0'.repeat(64)
    const inTenant = (tenant: string): [string, unknown][] => [
      ['/v1/keys', { name: 'n', owner: 'o', resource: api.uri, scopes: [], tenant }],
      ['/v1/operators', { name: 'n', scopes: ['verify'], tenant }],
      [
        '/v1/keys/import',
        {
          high_entropy: true,
          resource: api.uri,
          tenant,
          keys: [{ digest, encoding: 'hex', algorithm: 'sha256', prefix: 'x', owner: 'o', scopes: [] }],
        },
      ],
      ['/v1/keys/bulk-revoke', { filter: { tenant } }],
      ['/v1/keys/bulk-revoke', { filter: { tenant, ids: [theirKey.id] } }],
      ['/v1/keys/bulk-rotate', { filter: { tenant } }],
      ['/v1/keys/bulk-rotate', { filter: { tenant }, dry_run: true }],
    ]
    const [foreign, none] = [inTenant(theirs.id), inTenant(unknown)]
    for (const [index, [path, body]] of foreign.entries()) {
      const a = await node.request('POST', path, { body, key: operator })
      const b = await node.request('POST', path, { body: none[index]?.[1], key: operator })
      assert.deepEqual(sameness(a), sameness(b), path)
      assert.notEqual(a.status, 201)
    }
    const ids = await node.done('POST', '/v1/keys/bulk-revoke', { filter: { ids: [theirKey.id] } }, operator)
    assert.deepEqual([ids.matched, ids.revoked, ids.sample], [0, 0, []])
    for (const tenant of [null, 'ten_0000000000000000000000']) {
      const answer = await node.request('POST', '/v1/operators', {
        body: { name: 'n', scopes: ['verify'], tenant },
        key: operator,
      })
      assert.equal(answer.status, 404)
    }
    assert.equal(await verdict(node, theirKey.key), 'valid')
  })

  it('gives a tenant operator nothing of the deployment to change', async () => {
    for (const [method, path, body] of [
      ['POST', '/v1/tenants', { name: 'x' }],
      ['PATCH', `/v1/tenants/${mine.id}`, { disabled: true }],
      ['DELETE', `/v1/tenants/${mine.id}`, undefined],
      ['POST', '/v1/resources', { uri: 'https://x.test', name: 'x', scopes: [] }],
      ['PATCH', `/v1/resources/${api.id}`, { name: 'x' }],
      ['DELETE', `/v1/resources/${api.id}`, undefined],
      ['GET', '/v1/peppers', undefined],
      ['POST', '/v1/peppers/rotate', {}],
      ['GET', '/v1/audit/head', undefined],
      ['POST', '/v1/audit/verify', {}],
    ] as const) {
      const answer = await node.request(method, path, { body, key: operator })
      assert.deepEqual([answer.status, answer.body.code], [403, 'forbidden'], `${method} ${path}`)
    }
    assert.equal((await node.done('GET', `/v1/tenants/${mine.id}`, undefined, operator)).disabled, false)
  })

  it('works for a tenant operator inside the tenant, without naming it', async () => {
    const key = await node.done(
      'POST',
      '/v1/keys',
      { name: 'n', owner: 'o', resource: api.uri, scopes: [] },
      operator,
    )
    assert.equal(key.tenant, mine.id)
    const listed = await node.done('GET', '/v1/keys', undefined, operator)
    assert.ok(listed.data.every((one: Json) => one.tenant === mine.id))
    await node.done('POST', `/v1/keys/${key.id}/revoke`, {}, operator)
    assert.equal(await verdict(node, key.key), 'revoked')
    const audit = await node.done('GET', '/v1/audit?limit=100', undefined, operator)
    assert.ok(audit.data.length > 0 && audit.data.every((one: Json) => one.tenant === mine.id))
  })

  it('answers unknown to a verifier that does not reach the key, whatever is wrong with it', async () => {
    const tenantVerifier = (await newOperator(node, ['verify'], { tenant: mine.id })).key
    const apiVerifier = (await newOperator(node, ['verify'], { resources: [api.id] })).key
    const key = await issueKey(node, otherApi, { tenant: theirs.id })
    const nobody = `sk_live_${'0'.repeat(44)}`
    for (const callerKey of [tenantVerifier, apiVerifier]) {
      assert.equal(await verdict(node, key.key), 'valid')
      const cold = await verify(node, key.key, { callerKey })
      assert.deepEqual([cold.valid, cold.code], [false, 'unknown'])
      assert.equal(await verdict(node, key.key, { callerKey, resource: otherApi.uri }), 'unknown')
      assert.equal(await verdict(node, nobody, { callerKey }), 'malformed')
    }
    await node.done('POST', `/v1/keys/${key.id}/revoke`, {})
    for (const callerKey of [tenantVerifier, apiVerifier])
      assert.equal(await verdict(node, key.key, { callerKey }), 'unknown')
    assert.equal(await verdict(node, key.key), 'revoked')
    const own = await issueKey(node, api, { tenant: mine.id })
    for (const callerKey of [tenantVerifier, apiVerifier])
      assert.equal(await verdict(node, own.key, { callerKey }), 'valid')
  })

  it('refuses everything of a disabled tenant, its operators too, until it is enabled', async () => {
    const tenant = await newTenant(node)
    const key = await issueKey(node, api, { tenant: tenant.id })
    const its = (await newOperator(node, ['keys:read'], { tenant: tenant.id })).key
    assert.equal(await verdict(node, key.key), 'valid')
    await node.done('PATCH', `/v1/tenants/${tenant.id}`, { disabled: true })
    assert.equal(await verdict(node, key.key), 'disabled')
    const refused = await node.request('GET', '/v1/keys', { key: its })
    assert.deepEqual([refused.status, refused.body.code], [401, 'disabled'])
    await node.done('PATCH', `/v1/tenants/${tenant.id}`, { disabled: false })
    assert.equal(await verdict(node, key.key), 'valid')
    assert.equal((await node.request('GET', '/v1/keys', { key: its })).status, 200)
  })

  it('lets an external_id be taken once among living tenants', async () => {
    const externalId = unique()
    const first = await newTenant(node, { external_id: externalId })
    const answer = await node.request('POST', '/v1/tenants', { body: { name: 'x', external_id: externalId } })
    assert.deepEqual([answer.status, answer.body.code], [409, 'conflict'])
    await node.done('DELETE', `/v1/tenants/${first.id}`)
    assert.equal((await newTenant(node, { external_id: externalId })).external_id, externalId)
  })
})
