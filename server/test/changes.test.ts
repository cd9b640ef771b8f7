/**
 * Every change of state tells the verifiers, or says here why it need not: a change that is forgotten leaves a dead
 * credential alive in somebody's cache.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Changes, type StateChange } from '../src/revocation/index.ts'
import { ENDING_ACTIONS } from '../src/revocations/index.ts'
import { freshSqlite } from './databases.ts'
import {
  importKeys,
  issueKey,
  type Json,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
} from './deployment.ts'

/** Actions that write no row of the feed, and why no verifier can hold anything that they end or alter. */
const WITHOUT_FEED: Readonly<Record<string, string>> = {
  'tenant.created': 'nothing belongs to it yet',
  'tenant.updated': 'its name, external id and metadata are in no answer of verify',
  'resource.created': 'nothing is for it yet',
  'api_key.issued': 'nobody has seen it yet, and "unknown" is not cached',
  'api_key.imported': 'the same: "unknown" is not cached',
  'api_key.leaked': 'it says what was seen; what then ends the key writes its own row',
  'webhook.created': 'no credential depends on it',
  'webhook.updated': 'the same',
  'webhook.deleted': 'the same',
  'webhook.secret_rotated': 'the same',
  'operator.created': 'nobody has seen it yet',
  'role.created': 'nobody holds it yet',
  'role.updated': 'whoever holds it is ended one by one, with rows of their own: see oauth/roles.test.ts',
  'role.deleted': 'the same',
  'plan.created': 'nothing has it yet',
  'plan.deleted': 'nothing has it any more',
  'pepper.rotated': 'keys stay what they are; their hashes move as they are used',
  'client.created': 'nobody has a token of it yet',
  'client.secret_added': 'its tokens stay what they are',
  'client.secret_revoked': 'the same: a client that was broken into is disabled',
  'client.updated': 'tokens keep what they were given, for their short life',
  'client.enabled': 'the level that disabled it stays: what is older stays dead',
  'user.updated': 'a name is in no answer of verify',
  'user.enabled': 'the level that disabled them stays',
  'user.created': 'nobody has signed in yet',
  'membership.created': 'it takes nothing away',
}

/** Actions that need a whole sign-in, a token or a process that is stopped: done, with their rows, by the named tests. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'grant.revoked': 'oauth/races.test.ts',
  'session.ended': 'identity/sign-in.test.ts',
  'feed.restarted': 'revocation/restored-database.test.ts',
  'webhook.disabled': 'webhooks/webhooks.test.ts',
  'webhook.replayed': 'webhooks/webhooks.test.ts',
  'root_secret.rotated': 'tokens/signing-keys.test.ts',
  // People's own work, in a browser. Sessions that it ends have rows of their own.
  'passkey.added': 'identity/passkeys/passkeys.test.ts',
  'passkey.renamed': 'identity/passkeys/passkeys.test.ts',
  'passkey.removed': 'identity/passkeys/passkeys.test.ts',
  'second_factor.enabled': 'identity/one-time-codes/one-time-codes.test.ts',
  'second_factor.disabled': 'identity/one-time-codes/one-time-codes.test.ts',
  'recovery_codes.renewed': 'identity/one-time-codes/one-time-codes.test.ts',
  'recovery_code.used': 'identity/one-time-codes/one-time-codes.test.ts',
  'user.password_recovered': 'identity/links/links.test.ts',
  'user.email_verified': 'identity/links/links.test.ts',
  'user.connected': 'identity/upstream/upstream.test.ts',
  'user.disconnected': 'identity/upstream/upstream.test.ts',
  'sign_in_provider.created': 'identity/upstream/upstream.test.ts',
  'sign_in_provider.updated': 'identity/upstream/upstream.test.ts',
  'sign_in_provider.deleted': 'identity/upstream/upstream.test.ts',
  'user.password_changed': 'identity/one-time-codes/one-time-codes.test.ts',
}

/** Routes that change nothing by being called. */
const NO_CHANGE: Readonly<Record<string, string>> = {
  'POST /v1/audit/verify': 'it reads the chain',
  'POST /v1/gateway/explain': 'it says which route would answer',
}

/** Routes whose changes need what this test has not: done, with their rows, by the named tests. */
const ROUTES_ELSEWHERE: Readonly<Record<string, string>> = {
  'DELETE /v1/users/:id/sessions/:session': 'identity/sign-in.test.ts',
  'DELETE /v1/users/:id/passkeys/:passkey': 'identity/passkeys/passkeys.test.ts',
  'DELETE /v1/users/:id/second-factor': 'identity/one-time-codes/one-time-codes.test.ts',
  'POST /v1/sign-in-providers': 'identity/upstream/upstream.test.ts',
  'PATCH /v1/sign-in-providers/:id': 'identity/upstream/upstream.test.ts',
  'DELETE /v1/sign-in-providers/:id': 'identity/upstream/upstream.test.ts',
  'POST /v1/leaks/gitlab/revoke_tokens': 'leaks/leaks.test.ts',
  'POST /v1/webhooks/:id/test': 'webhooks/webhooks.test.ts',
  'POST /v1/webhooks/:id/replay': 'webhooks/webhooks.test.ts',
}

const SRC = fileURLToPath(new URL('../src', import.meta.url))
const database = freshSqlite()
const seen = new Map<string, StateChange['feed'][]>()
/** By route: how many changes were recorded while it was called. */
const called = new Map<string, number>()
let node: Node

before(async () => {
  // eslint-disable-next-line typescript/unbound-method -- called with its own `this` below.
  const { record } = Changes.prototype
  Changes.prototype.record = function (this: Changes, ...words: Parameters<typeof record>) {
    const [, , { action, feed }] = words
    seen.set(action, [...(seen.get(action) ?? []), feed])
    return record.apply(this, words)
  }
  node = await openNode(database)
  await everyOperation(node)
  Changes.prototype.record = record
})
after(async () => {
  await node.close()
  await database.drop()
})

it('every action in the source is done by this test', () => {
  const actions = new Set<string>()
  for (const file of globSync('**/*.ts', { cwd: SRC })) {
    // Types of webhooks are named after actions, and some of them tell of what is no change.
    if (/\.test\.ts$|^(cli|http)\/|^webhooks\/event-types/.test(file)) continue
    const text = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
    for (const [, action] of text.matchAll(/'([a-z_]+\.[a-z_]+ed)'/g)) actions.add(action as string)
  }
  // Some names of actions are put together where they are written: those are seen, and stand in no source.
  const composed = [...seen.keys()].filter((action) =>
    /^(signing_key|trusted_issuer|user|client)\./.test(action),
  )
  const known = new Set([...seen.keys(), ...Object.keys(ELSEWHERE)])
  assert.deepEqual([...new Set([...actions, ...composed])].sort(), [...known].sort())
})

it('every route that changes something is called by this test, and what it changed was recorded', () => {
  const routes = node.deployment.server.posternHttp.routes
    .filter(({ method, access }) => method !== 'GET' && access.kind === 'management')
    .map(({ method, url }) => `${method} ${url}`)
  const silent = [...called].filter(([, recorded]) => recorded === 0).map(([route]) => route)
  assert.deepEqual(silent.sort(), Object.keys(NO_CHANGE).sort(), 'they recorded nothing')
  const elsewhere = Object.keys(ROUTES_ELSEWHERE)
  assert.deepEqual([...called.keys(), ...elsewhere].sort(), routes.sort())
})

it('every change writes a row of the feed, or is in the table of those that need none', () => {
  for (const [action, feeds] of seen)
    if (feeds.some((feed) => feed === null)) assert.ok(action in WITHOUT_FEED, `${action} tells no verifier`)
  const silent = [...seen].filter(([, feeds]) => feeds.includes(null)).map(([action]) => action)
  assert.deepEqual(Object.keys(WITHOUT_FEED).sort(), silent.sort(), 'the table has nothing else in it')
})

it('what ends for ever says so, and what may come back says changed', () => {
  const effects = Object.fromEntries([...seen].map(([action, [feed]]) => [action, feed && feed.effect]))
  assert.deepEqual(effects, {
    ...Object.fromEntries(Object.keys(WITHOUT_FEED).map((action) => [action, null])),
    'tenant.disabled': 'changed',
    'tenant.enabled': 'changed',
    'tenant.deleted': 'deleted',
    'resource.updated': 'changed',
    'resource.deleted': 'deleted',
    'api_key.updated': 'changed',
    'api_key.disabled': 'changed',
    'api_key.enabled': 'changed',
    'api_key.rotated': 'changed',
    'api_key.revoked': 'revoked',
    'gateway_route.created': 'changed',
    'gateway_route.updated': 'changed',
    'gateway_route.deleted': 'changed',
    'operator.rotated': 'changed',
    'operator.revoked': 'revoked',
    'tenant.revoked': 'revoked',
    'subject.revoked': 'revoked',
    'actor.revoked': 'revoked',
    'proof_key.revoked': 'deleted',
    'plan.updated': 'changed',
    'limits.changed': 'changed',
    'limits.removed': 'changed',
    ...PEOPLE_AND_CLIENTS,
  })
})

it('whatever ends something can be looked back at', () => {
  // Roles may be added as well as taken away: the audit has both, and this list would show the one for the other.
  const mixed = new Set(['membership.updated'])
  const ending = [...seen].filter(([, feeds]) =>
    feeds.some((feed) => feed !== null && feed.effect !== 'changed'),
  )
  const actions = ending.map(([action]) => action).filter((action) => !mixed.has(action))
  const elsewhere = Object.keys(ELSEWHERE).filter((action) => action in ENDING_ACTIONS)
  // What verifiers ask about again, and are then refused.
  actions.push('trusted_issuer.tokens_revoked')
  assert.deepEqual([...actions, ...elsewhere].sort(), Object.keys(ENDING_ACTIONS).sort())
  assert.deepEqual(elsewhere.sort(), ['grant.revoked', 'session.ended'])
})

it('every change is in the audit as well', async () => {
  const { data } = await node.done('GET', '/v1/audit?limit=100')
  const audited = new Set(data.map((event: Json) => event.action))
  assert.deepEqual([...audited].sort(), [...seen.keys()].sort())
})

/** What the modules behind OAuth say. */
const PEOPLE_AND_CLIENTS: Readonly<Record<string, string>> = {
  'client.disabled': 'revoked',
  'client.revoked': 'revoked',
  'client.deleted': 'deleted',
  'membership.updated': 'revoked',
  'membership.deleted': 'revoked',
  'user.disabled': 'revoked',
  'user.deleted': 'deleted',
  'user.password_set': 'revoked',
  'user.signed_out_everywhere': 'revoked',
  'trusted_issuer.created': 'changed',
  'trusted_issuer.updated': 'changed',
  'trusted_issuer.tokens_revoked': 'changed',
  'trusted_issuer.deleted': 'deleted',
  'token.revoked': 'revoked',
  'signing_key.published': 'changed',
  'signing_key.activated': 'changed',
  'signing_key.revoked': 'revoked',
}

async function everyOperation({ done: ask, ...rest }: Node): Promise<void> {
  const done: Node['done'] = async (method, path, body, key) => {
    const before = recorded()
    const answer = await ask(method, path, body, key)
    const route = routeOf(rest.deployment, method, path)
    if (method !== 'GET') called.set(route, (called.get(route) ?? 0) + recorded() - before)
    return answer
  }
  const on = { done, ...rest }
  const tenant = await newTenant(on)
  await done('PATCH', `/v1/tenants/${tenant.id}`, { name: 'renamed' })
  await done('PATCH', `/v1/tenants/${tenant.id}`, { disabled: true })
  await done('PATCH', `/v1/tenants/${tenant.id}`, { disabled: false })
  const api = await newResource(on)
  await done('PATCH', `/v1/resources/${api.id}`, { name: 'renamed' })
  await importKeys(on, api, 2)
  const key = await issueKey(on, api)
  await done('PATCH', `/v1/keys/${key.id}`, { name: 'renamed' })
  const plan = await done('POST', '/v1/plans', { name: 'free', limits: [] })
  await done('PUT', `/v1/limits/key/${key.id}`, { plan: plan.id })
  await done('PATCH', `/v1/plans/${plan.id}`, { limits: [{ type: 'rate', name: 'burst', limit: 5 }] })
  await done('DELETE', `/v1/limits/key/${key.id}`)
  await done('DELETE', `/v1/plans/${plan.id}`)
  await done('POST', `/v1/keys/${key.id}/disable`)
  await done('POST', `/v1/keys/${key.id}/enable`)
  await done('POST', `/v1/keys/${key.id}/rotate`, {})
  const older = await issueKey(on, api)
  rest.clock.advance(1_000)
  await done('POST', '/v1/keys/bulk-rotate', { filter: { ids: [older.id] } })
  await done('POST', `/v1/keys/${key.id}/revoke`, {})
  await done('POST', '/v1/leaks', { reports: [{ token: key.key }] })
  await done('POST', '/v1/keys/bulk-revoke', { filter: { resource: api.id } })
  const { id: hook } = await done('POST', '/v1/webhooks', { url: 'https://app.example.com/' })
  await done('PATCH', `/v1/webhooks/${hook}`, { name: 'renamed' })
  await done('POST', `/v1/webhooks/${hook}/secrets`, {})
  await done('DELETE', `/v1/webhooks/${hook}`)
  const operator = await newOperator(on, ['verify'])
  const { key: successor } = await done('POST', `/v1/operators/${operator.id}/rotate`, {})
  await done('POST', `/v1/operators/${successor.id}/revoke`, {})
  await done('POST', '/v1/peppers/rotate', {})
  const client = await done('POST', '/v1/clients', { name: 'a service', kind: 'service' })
  await done('PATCH', `/v1/clients/${client.id}`, { name: 'renamed' })
  await done('PATCH', `/v1/clients/${client.id}`, { disabled: true })
  await done('PATCH', `/v1/clients/${client.id}`, { disabled: false })
  const secret = await done('POST', `/v1/clients/${client.id}/secrets`, {})
  await done('POST', `/v1/clients/${client.id}/secrets/${secret.id}/revoke`, {})
  const revoke = (target: object) => done('POST', '/v1/revocations', { targets: [target] })
  await revoke({ kind: 'client', id: client.id })
  await revoke({ kind: 'subject', id: 'customer-1', tenant: tenant.id })
  await revoke({ kind: 'actor', id: 'an-agent', tenant: tenant.id })
  await revoke({ kind: 'proof_key', id: 'a-thumbprint' })
  await revoke({ kind: 'tenant', id: tenant.id })
  await done('DELETE', `/v1/clients/${client.id}`)
  const user = await done('POST', '/v1/users', { username: 'ada', name: 'Ada' })
  await done('PATCH', `/v1/users/${user.id}`, { name: 'Ada L.' })
  await done('POST', `/v1/users/${user.id}/password`, { password: 'a long enough password' })
  await done('PUT', `/v1/users/${user.id}/tenants/${tenant.id}`, { roles: ['reader'] })
  await done('PUT', `/v1/users/${user.id}/tenants/${tenant.id}`, { roles: ['writer'] })
  await done('DELETE', `/v1/users/${user.id}/tenants/${tenant.id}`)
  await done('POST', `/v1/users/${user.id}/sign-out-everywhere`, {})
  await done('POST', `/v1/users/${user.id}/disable`)
  await done('POST', `/v1/users/${user.id}/enable`)
  await done('DELETE', `/v1/users/${user.id}`)
  const { data: signingKeys } = await done('GET', '/v1/signing-keys')
  await done('POST', '/v1/signing-keys/rotate', {})
  await done('POST', `/v1/signing-keys/${signingKeys[0].id}/revoke`, {})
  await done('POST', '/v1/audit/verify', {})
  const issuer = await done('POST', '/v1/trusted-issuers', {
    issuer: 'https://issuer.example.test',
    resource: api.uri,
    name: 'Another',
    audiences: [api.uri],
    claims: { sub: 'sub', scopes: 'scope', tenant: tenant.id },
  })
  await done('PATCH', `/v1/trusted-issuers/${issuer.id}`, { name: 'renamed' })
  await done('POST', `/v1/trusted-issuers/${issuer.id}/revoke-before`, {})
  await done('POST', `/v1/trusted-issuers/${issuer.id}/revoke-token`, { jti: 'one' })
  await done('DELETE', `/v1/trusted-issuers/${issuer.id}`)
  await done('PUT', '/v1/roles/clerk', { scopes: {} })
  await done('PUT', '/v1/roles/clerk', { description: 'reads orders', scopes: { [api.id]: ['orders:read'] } })
  await done('DELETE', '/v1/roles/clerk')
  const route = await done('POST', '/v1/gateway/routes', { host: 'app.example.com', resource: api.uri })
  await done('PATCH', `/v1/gateway/routes/${route.id}`, { path: '/orders' })
  await done('POST', '/v1/gateway/explain', { method: 'GET', url: 'https://app.example.com/orders' })
  await done('DELETE', `/v1/gateway/routes/${route.id}`)
  await done('DELETE', `/v1/resources/${api.id}`)
  await done('DELETE', `/v1/tenants/${tenant.id}`)
}

function recorded(): number {
  return [...seen.values()].flat().length
}

/** The declared route of a path; one without parameters before one with. */
function routeOf({ server }: Node['deployment'], method: string, path: string): string {
  const fits = (url: string): boolean =>
    new RegExp(`^${url.replaceAll(/:[a-z]+/g, '[^/]+')}$`).test(path.split('?')[0] as string)
  const candidates = server.posternHttp.routes
    .filter((route) => route.method === method && fits(route.url))
    .map(({ url }) => url)
    .sort((one, other) => one.split(':').length - other.split(':').length)
  return `${method} ${candidates[0]}`
}
