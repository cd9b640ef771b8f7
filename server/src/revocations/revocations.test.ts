/** POST /v1/revocations: each kind ends what it names and nothing else, a dry run changes nothing, and nobody reaches further. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import { eventually } from '../../test/deployment.ts'
import {
  API,
  basic,
  claimsOf,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'
import { Artifacts } from '../clients/index.ts'
import { systemClock } from '../kernel/index.ts'
import { readFeedHead } from '../revocation/index.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

onBothDatabases('revocations', (fresh) => {
  let server: OAuthServer
  let client: Json
  let other: Json
  let count = 0
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    client = await newClient(server, { resources: [{ resource: API }] })
    other = await newClient(server, { resources: [{ resource: API }] })
  })
  after(() => server.close())

  const issueKey = (more: Record<string, unknown> = {}): Promise<Json> =>
    server.manage('POST', '/v1/keys', {
      name: 'a key',
      owner: `customer-${count++}`,
      resource: API,
      scopes: ['orders:read'],
      ...more,
    })
  const exchange = async (key: string): Promise<string> =>
    (
      await server.form('/token', {
        grant_type: EXCHANGE,
        client_id: 'api-key',
        subject_token: key,
        subject_token_type: 'urn:postern:params:oauth:token-type:api_key',
      })
    ).body.access_token
  const tokenOf = async ({ id, client_secret }: Json): Promise<string> =>
    (
      await server.form(
        '/token',
        { grant_type: 'client_credentials', resource: API, scope: 'orders:read' },
        basic(id, client_secret),
      )
    ).body.access_token
  const verdict = async (credential: string): Promise<string> => {
    const answer = await server.manage('POST', '/v1/verify', { credential, resource: API })
    return answer.valid ? 'valid' : answer.code
  }
  const revoke = (target: object, more: object = {}, key?: string) =>
    server.ask('POST', '/v1/revocations', { targets: [target], ...more }, key)
  const newOperator = (scopes: string[], more: object = {}): Promise<Json> =>
    server.manage('POST', '/v1/operators', { name: `operator ${count++}`, scopes, ...more })
  const newTenant = (): Promise<Json> => server.manage('POST', '/v1/tenants', { name: `tenant ${count++}` })
  const head = async (): Promise<number> => (await readFeedHead(server.deployment.storage.read())).seq

  it('ends a key with the tokens that descend from it, and tells what it did', async () => {
    const [key, bystander] = [await issueKey(), await issueKey()]
    const [child, stranger] = [await exchange(key.key), await exchange(bystander.key)]
    for (const one of [key.key, child, stranger]) assert.equal(await verdict(one), 'valid')
    const { status, body } = await revoke({ kind: 'api_key', id: key.id }, { reason: 'leaked' })
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body.revoked, 1)
    for (const one of [key.key, child]) assert.equal(await verdict(one), 'revoked')
    for (const one of [bystander.key, stranger]) assert.equal(await verdict(one), 'valid')

    const [outcome] = body.targets
    const found = await server.manage('GET', `/v1/revocations/${outcome.revocation}`)
    assert.deepEqual(
      [found.kind, found.target, found.reason, found.action, found.at],
      ['api_key', key.id, 'leaked', 'api_key.revoked', outcome.at],
    )
    const again = await revoke({ kind: 'api_key', id: key.id })
    assert.deepEqual([again.body.revoked, again.body.targets[0].status], [0, 'already_revoked'])
  })

  for (const by of ['its text', 'its jti'])
    it(`ends one token by ${by}, and keeps the text nowhere`, async () => {
      const [token, stranger] = [await tokenOf(client), await tokenOf(client)]
      const { jti } = claimsOf(token)
      const target = by === 'its text' ? { kind: 'token', token } : { kind: 'token', id: jti }
      const { status, body } = await revoke(target, { reason: 'seen in a log' })
      assert.equal(status, 200, JSON.stringify(body))
      assert.equal(body.targets[0].id, jti)
      assert.equal(await verdict(token), 'revoked')
      assert.equal(await verdict(stranger), 'valid')
      const audit = JSON.stringify(await server.manage('GET', '/v1/audit?limit=100'))
      assert.ok(audit.includes(jti) && !audit.includes(token.split('.')[2] as string))
    })

  it('answers for a token that is not valid as for one that never was', async () => {
    const forged = `${(await tokenOf(client)).slice(0, -6)}AAAAAA`
    for (const token of [forged, 'rubbish', (await issueKey()).key])
      assert.equal((await revoke({ kind: 'token', token })).status, 404)
  })

  it('ends what a client holds, and lets it have more afterwards', async () => {
    const [token, stranger] = [await tokenOf(client), await tokenOf(other)]
    assert.equal((await revoke({ kind: 'client', id: client.id })).body.revoked, 1)
    assert.equal(await verdict(token), 'revoked')
    assert.equal(await verdict(stranger), 'valid')
    assert.equal(await verdict(await tokenOf(client)), 'valid')
  })

  it('ends what an external owner holds in one tenant, and lets them have more afterwards', async () => {
    const owner = 'customer-of-two'
    const elsewhere = (await newTenant()).id
    const [key, same] = [await issueKey({ owner }), await issueKey({ owner, tenant: elsewhere })]
    const child = await exchange(key.key)
    const answer = await revoke({ kind: 'subject', id: owner, tenant: key.tenant })
    assert.deepEqual([answer.status, answer.body.targets[0].tenant], [200, key.tenant])
    for (const one of [key.key, child]) assert.equal(await verdict(one), 'revoked')
    assert.equal(await verdict(same.key), 'valid')
    assert.equal(await verdict((await issueKey({ owner })).key), 'valid')
  })

  it('ends everything in a tenant, its operators included, and nothing outside', async () => {
    const tenant = (await newTenant()).id
    const [key, outside] = [await issueKey({ tenant }), await issueKey()]
    const child = await exchange(key.key)
    const operator = await newOperator(['keys:read'], { tenant })
    assert.equal((await server.ask('GET', '/v1/keys', undefined, operator.key)).status, 200)
    assert.equal((await revoke({ kind: 'tenant', id: tenant })).body.revoked, 1)
    for (const one of [key.key, child]) assert.equal(await verdict(one), 'revoked')
    assert.equal((await server.ask('GET', '/v1/keys', undefined, operator.key)).status, 401)
    assert.equal(await verdict(outside.key), 'valid')
    const next = await issueKey({ tenant })
    assert.equal(await verdict(next.key), 'valid')
    assert.equal(await verdict(await exchange(next.key)), 'valid')
  })

  it('does not let one level mask another', async () => {
    const tenant = (await newTenant()).id
    const owner = 'masked'
    const key = await issueKey({ owner, tenant })
    const child = await exchange(key.key)
    assert.equal(await verdict(child), 'valid')
    // The tenant's level, then a newer one of a stranger, then the owner's: each by itself is enough.
    await revoke({ kind: 'tenant', id: tenant })
    await revoke({ kind: 'subject', id: 'somebody-else', tenant })
    assert.equal(await verdict(key.key), 'revoked')
    const next = await issueKey({ owner, tenant })
    const nextChild = await exchange(next.key)
    await revoke({ kind: 'subject', id: owner, tenant })
    for (const one of [child, nextChild, next.key]) assert.equal(await verdict(one), 'revoked')
  })

  it('ends a signing key with all that it signed, and signs on with another', async () => {
    const token = await tokenOf(other)
    const kid = JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString()).kid
    const dry = await revoke({ kind: 'signing_key', id: kid }, { dry_run: true })
    assert.equal(dry.status, 200, JSON.stringify(dry.body))
    assert.equal(await verdict(token), 'valid')
    assert.equal((await revoke({ kind: 'signing_key', id: kid })).body.revoked, 1)
    // Nothing that it says can be believed any more, not even whose it was.
    assert.equal(await verdict(token), 'unknown')
    assert.equal(await verdict(await tokenOf(other)), 'valid')
  })

  it('ends a session and a grant', async () => {
    const user = await server.manage('POST', '/v1/users', { username: 'ada', name: 'Ada' })
    const { storage, context } = server.deployment
    const artifacts = new Artifacts(storage, context.changes, 'a root secret for tests, of no worth at all')
    const gid = 'gra_0000000000000000000001'
    await artifacts.save({
      model: 'Grant',
      id: gid,
      payload: { accountId: user.id, clientId: client.id, tenant: client.tenant },
      rsn: await head(),
      expiresAtMs: systemClock.nowMs() + 60_000,
    })
    const dry = await revoke({ kind: 'grant', id: gid }, { dry_run: true })
    assert.deepEqual([dry.body.revoked, dry.body.blast_radius.grants], [1, 1])
    assert.equal((await revoke({ kind: 'grant', id: gid })).body.revoked, 1)
    assert.equal(await artifacts.find('Grant', gid), undefined)
    assert.equal((await revoke({ kind: 'grant', id: gid })).status, 404)
    assert.equal((await revoke({ kind: 'session', id: 'ses_0000000000000000000001' })).status, 404)
    assert.equal((await revoke({ kind: 'subject', id: user.id })).body.revoked, 1)
    assert.equal((await revoke({ kind: 'actor', id: user.id })).body.revoked, 1)
    assert.equal((await revoke({ kind: 'actor', id: 'usr_0000000000000000000009' })).status, 404)
  })

  it('says in a dry run how far it reaches, and changes nothing', async () => {
    const tenant = (await newTenant()).id
    const owner = 'radius'
    const keys = [await issueKey({ owner, tenant }), await issueKey({ owner, tenant })]
    await newClient(server, { tenant })
    await newOperator(['keys:read'], { tenant })
    const before = await head()
    const { body } = await revoke({ kind: 'tenant', id: tenant }, { dry_run: true })
    const { tokens, ...counted } = body.blast_radius
    assert.deepEqual(counted, { keys: 2, operators: 1, sessions: 0, grants: 0, clients: 1 })
    assert.ok(Number.isInteger(tokens.at_most) && tokens.counted.length > 0)
    assert.deepEqual([body.dry_run, body.revoked], [true, 1])
    assert.deepEqual([body.targets[0].status, body.targets[0].revocation], ['revoked', null])
    assert.equal(
      (await revoke({ kind: 'subject', id: owner, tenant }, { dry_run: true })).body.blast_radius.keys,
      2,
    )
    const token = await revoke({ kind: 'token', id: 'some-jti' }, { dry_run: true })
    assert.equal(token.body.blast_radius.tokens.at_most, 1)
    assert.equal(await head(), before)
    for (const key of keys) assert.equal(await verdict(key.key), 'valid')
  })

  it('counts what was issued to a client as what may be alive', async () => {
    const own = await newClient(server, { resources: [{ resource: API }] })
    for (let issued = 0; issued < 3; issued++) await tokenOf(own)
    const atMost = async (): Promise<number> =>
      (await revoke({ kind: 'client', id: own.id }, { dry_run: true })).body.blast_radius.tokens.at_most
    // Issues are written a second later.
    await eventually('they are counted', async () => (await atMost()) === 3, 5_000)
  })

  it('takes many at once, each with its own outcome', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => issueKey()))
    const targets = [
      ...keys.map(({ id }) => ({ kind: 'api_key', id })),
      { kind: 'api_key', id: 'key_nobody' },
    ]
    const { status, body } = await server.ask('POST', '/v1/revocations', { targets })
    assert.equal(status, 200)
    assert.equal(body.revoked, 20)
    assert.deepEqual(
      body.targets.map((one: Json) => one.id),
      targets.map(({ id }) => id),
    )
    assert.deepEqual([body.targets[20].status, body.targets[20].code], ['refused', 'not_found'])
    for (const { key } of keys) assert.equal(await verdict(key), 'revoked')
  })

  it('revokes the keys that match a filter, as many as the dry run said', async () => {
    const owner = 'filtered'
    const keys = [await issueKey({ owner }), await issueKey({ owner }), await issueKey({ owner })]
    await revoke({ kind: 'api_key', id: keys[0].id })
    const ask = (more: object) => server.ask('POST', '/v1/revocations', { filter: { owner }, ...more })
    const dry = await ask({ dry_run: true })
    assert.deepEqual([dry.body.revoked, dry.body.blast_radius.keys], [2, 2])
    assert.equal((await ask({ expected_count: 3 })).status, 409)
    assert.equal((await ask({ expected_count: 2, reason: 'left' })).body.revoked, 2)
    for (const { key } of keys) assert.equal(await verdict(key), 'revoked')
  })

  it('does once what is asked twice with one Idempotency-Key', async () => {
    const owner = 'asked-twice'
    const target = { kind: 'subject', id: owner, tenant: client.tenant }
    const send = async (): Promise<Json> => {
      const answer = await fetch(`${server.address}/v1/revocations`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${server.operatorKey}`,
          'content-type': 'application/json',
          'idempotency-key': 'once',
        },
        body: JSON.stringify({ targets: [target] }),
      })
      return answer.json()
    }
    const first = await send()
    const between = await issueKey({ owner })
    assert.deepEqual(await send(), first)
    // Had it been done again, what was issued in between would be dead.
    assert.equal(await verdict(between.key), 'valid')
  })

  it('reaches no further than whoever asks', async () => {
    const [mine, theirs] = [(await newTenant()).id, (await newTenant()).id]
    const [own, foreign] = [await issueKey({ tenant: mine }), await issueKey({ tenant: theirs, owner: 'x' })]
    const scopes = [
      'keys:write',
      'clients:write',
      'users:write',
      'tenants:write',
      'deployment:write',
      'audit:read',
    ]
    const operator = await newOperator(scopes, { tenant: mine })
    const ask = (target: object, more: object = {}) => revoke(target, more, operator.key)
    const foreignToken = await exchange(foreign.key)
    for (const dry_run of [true, false]) {
      for (const target of [
        { kind: 'api_key', id: foreign.id },
        { kind: 'subject', id: 'x', tenant: theirs },
        { kind: 'actor', id: 'x', tenant: theirs },
        { kind: 'client', id: client.id },
        { kind: 'token', token: foreignToken },
      ])
        assert.equal((await ask(target, { dry_run })).status, 404, JSON.stringify(target))
      for (const target of [
        { kind: 'tenant', id: theirs },
        { kind: 'tenant', id: mine },
        { kind: 'token', id: claimsOf(foreignToken).jti },
        { kind: 'session', id: 'ses_0000000000000000000001' },
        { kind: 'subject', id: 'usr_0000000000000000000001' },
        { kind: 'signing_key', id: 'a-kid' },
        { kind: 'proof_key', id: 'a-jkt' },
      ])
        assert.equal((await ask(target, { dry_run })).status, 403, JSON.stringify(target))
    }
    assert.equal(await verdict(foreign.key), 'valid')
    assert.equal(await verdict(foreignToken), 'valid')
    await revoke({ kind: 'api_key', id: foreign.id })
    const { body } = await ask({ kind: 'api_key', id: own.id })
    assert.equal(body.revoked, 1)

    const list = await server.manage('GET', '/v1/revocations', undefined, operator.key)
    assert.deepEqual(
      list.data.map((one: Json) => one.target),
      [own.id],
    )
    const all = await server.manage('GET', `/v1/revocations?tenant=${theirs}&kind=api_key`)
    assert.deepEqual(
      all.data.map((one: Json) => one.target),
      [foreign.id],
    )
    const secret = await server.ask('GET', `/v1/revocations/${all.data[0].id}`, undefined, operator.key)
    assert.equal(secret.status, 404)
  })

  it('asks for the scope that each kind needs, and for operators of every API where it reaches all', async () => {
    const narrow = await newOperator(['clients:write'])
    const key = await issueKey()
    assert.equal((await revoke({ kind: 'api_key', id: key.id }, {}, narrow.key)).status, 403)
    assert.equal(
      (await server.ask('POST', '/v1/revocations', { filter: { owner: key.owner } }, narrow.key)).status,
      403,
    )
    assert.equal((await revoke({ kind: 'client', id: other.id }, {}, narrow.key)).status, 200)
    const reader = await newOperator(['audit:read'])
    assert.equal((await revoke({ kind: 'client', id: other.id }, {}, reader.key)).status, 403)
    const { data } = await server.manage('GET', '/v1/resources')
    const api = data.find((one: Json) => one.uri === API)
    const confined = await newOperator(['keys:write'], { resources: [api.id] })
    const subject = { kind: 'subject', id: key.owner, tenant: key.tenant }
    assert.equal((await revoke(subject, {}, confined.key)).status, 403)
    assert.equal((await revoke({ kind: 'api_key', id: key.id }, {}, confined.key)).status, 200)
  })

  it('refuses what names nothing, or two things', async () => {
    for (const body of [
      {},
      { targets: [] },
      { targets: [{ kind: 'api_key' }] },
      { targets: [{ kind: 'token', id: 'a', token: 'b' }] },
      { targets: [{ kind: 'client', token: 'b' }] },
      { targets: [{ kind: 'client', id: 'cli_x', tenant: client.tenant }] },
      { targets: [{ kind: 'subject', id: client.id }] },
      { targets: [{ kind: 'api_key', id: 'key_x' }], filter: { owner: 'x' } },
      { filter: {} },
      { targets: [{ kind: 'planet', id: 'mars' }] },
    ])
      assert.equal((await server.ask('POST', '/v1/revocations', body)).status, 400, JSON.stringify(body))
  })

  it('lists in pages, newest first, since a time', async () => {
    const since = new Date().toISOString()
    const keys = [await issueKey(), await issueKey(), await issueKey()]
    for (const { id } of keys) await revoke({ kind: 'api_key', id })
    const first = await server.manage('GET', `/v1/revocations?limit=2&kind=api_key&since=${since}`)
    const rest = await server.manage(
      'GET',
      `/v1/revocations?limit=2&kind=api_key&since=${since}&cursor=${first.next_cursor}`,
    )
    assert.deepEqual(
      [...first.data, ...rest.data].map((one: Json) => one.target),
      keys.map(({ id }) => id).toReversed(),
    )
    assert.equal(rest.next_cursor, null)
  })
})
