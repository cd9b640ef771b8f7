import assert from 'node:assert/strict'
import { after, before, it, mock } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
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

/** Nobody reads this one, but only the engine knows that. */
const FOR_THE_ENGINE = { unknown_parameter: 'x' }
const OTHER_API = 'https://opaque.example.test/'

onBothDatabases('client credentials without the engine', (fresh) => {
  let server: OAuthServer
  let client: Json
  let engine: Awaited<ReturnType<OAuthServer['deployment']['oauth']['engine']['load']>>
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    await newResource(server, { uri: OTHER_API, access_token_format: 'opaque' })
    client = await newClient(server, {
      resources: [{ resource: API, scopes: ['orders:read', 'orders:write'] }],
    })
    engine = await server.deployment.oauth.engine.load()
  })
  after(() => server.close())

  /** What was answered, and whether it was the engine that did. */
  const ask = async (
    fields: Record<string, string> | URLSearchParams,
    headers: Record<string, string> = basic(client.id, client.client_secret),
  ) => {
    const handled = mock.method(engine, 'handle')
    try {
      const params =
        fields instanceof URLSearchParams ? fields : { grant_type: 'client_credentials', ...fields }
      return { ...(await server.form('/token', params, headers)), byEngine: handled.mock.callCount() === 1 }
    } finally {
      handled.mock.restore()
    }
  }
  /** All that does not differ from one token to the next. */
  const lasting = ({
    status,
    headers,
    body: { access_token: token, ...body },
  }: Awaited<ReturnType<typeof ask>>) => {
    const { jti, iat, exp, rsn, ...claims } = claimsOf(token)
    assert.ok(jti.length > 20 && Number.isSafeInteger(rsn))
    const passing = new Set(['date', 'x-request-id', 'content-length'])
    return {
      status,
      headers: [...headers].filter(([name]) => !passing.has(name)),
      body,
      claims: { ...claims, lifetime: exp - iat },
      header: token.split('.')[0],
    }
  }

  it('answers as the engine does, in every header, member and claim', async () => {
    const post = { client_id: client.id, client_secret: client.client_secret }
    for (const [fields, headers] of [
      [{}, undefined],
      [{ scope: 'orders:write' }, undefined],
      [{ scope: 'orders:write orders:read orders:write', resource: API }, undefined],
      [{ resource: API, ...post }, {}],
    ] as const) {
      const plain = await ask(fields, headers)
      const engines = await ask({ ...fields, ...FOR_THE_ENGINE }, headers)
      assert.deepEqual([plain.byEngine, engines.byEngine], [false, true], JSON.stringify(fields))
      assert.deepEqual(lasting(plain), lasting(engines))
    }
  })

  it('leaves everything else to the engine', async () => {
    const all = { resources: [{ resource: API }] }
    const bound = await newClient(server, { ...all, dpop_bound: true })
    const disabled = await newClient(server, all)
    await server.manage('PATCH', `/v1/clients/${disabled.id}`, { disabled: true })
    const keyless = await newClient(server, {
      ...all,
      kind: 'browser',
      redirect_uris: ['https://app.example/cb'],
    })
    const other = await newClient(server, { ...all, kind: 'web', redirect_uris: ['https://app.example/cb'] })
    const two = await newClient(server, { resources: [{ resource: API }, { resource: OTHER_API }] })
    const opaque = await newClient(server, { resources: [{ resource: OTHER_API }] })
    const own = basic(client.id, client.client_secret)
    const as = (who: Json) => basic(who.id, who.client_secret)
    const twice = (name: string) =>
      new URLSearchParams([
        ['grant_type', 'client_credentials'],
        [name, 'orders:read'],
        [name, 'orders:read'],
      ])
    const cases: readonly [
      string,
      Awaited<Parameters<typeof ask>[0]>,
      Record<string, string>,
      number,
      string?,
    ][] = [
      ['a wrong secret', {}, basic(client.id, 'cs_live_wrong'), 401, 'invalid_client'],
      ['an unknown client', {}, basic('cli_0000000000000000000000', 'x'), 401, 'invalid_client'],
      ['a disabled client', {}, as(disabled), 401, 'invalid_client'],
      ['no secret', { client_id: client.id }, {}, 401, 'invalid_client'],
      ['a client without secrets', { client_id: keyless.id, client_secret: 'x' }, {}, 401, 'invalid_client'],
      [
        'two ways at once',
        { client_id: client.id, client_secret: client.client_secret },
        own,
        400,
        'invalid_request',
      ],
      ['base64 with a tail', {}, { authorization: `${own.authorization}=` }, 400, 'invalid_request'],
      ['a bearer', {}, { authorization: `Bearer ${client.client_secret}` }, 400, 'invalid_request'],
      ['a client of another grant', {}, as(other), 400, 'invalid_request'],
      ['a client that has to prove a key', {}, as(bound), 400, 'invalid_grant'],
      ['a proof', {}, { ...own, dpop: 'no proof' }, 400, 'invalid_dpop_proof'],
      ['a page of another origin', {}, { ...own, origin: 'https://evil.example' }, 400, 'invalid_request'],
      ['two APIs', {}, as(two), 400, 'invalid_target'],
      ['an API that is not there', { resource: 'https://none.example/' }, own, 400, 'invalid_target'],
      ["another client's API", { resource: OTHER_API }, own, 400, 'invalid_target'],
      ['a scope of others', { scope: 'orders:read orders:refund' }, own, 400, 'invalid_scope'],
      ['a malformed scope', { scope: 'orders:read  orders:write' }, own, 400, 'invalid_scope'],
      ['a scope twice', twice('scope'), own, 400, 'invalid_request'],
      ['an API twice', twice('resource'), own, 400, 'invalid_target'],
      ['a NUL', { scope: 'orders:read\0' }, own, 400, 'invalid_scope'],
      ['an assertion', { client_assertion: 'x' }, own, 400, 'invalid_request'],
      ['no grant', { grant_type: '' }, own, 400, 'invalid_request'],
      ['a large form', { padding: 'x'.repeat(8_000) }, own, 200],
      ['an empty scope', { scope: '' }, own, 200],
      ['an opaque token', {}, as(opaque), 200],
    ]
    for (const [what, fields, headers, status, error] of cases) {
      const answer = await ask(fields, headers)
      assert.equal(answer.byEngine, true, what)
      assert.deepEqual([answer.status, answer.body.error], [status, error], what)
    }
  })

  it('refuses a revoked secret and a client that lost its API at once', async () => {
    const changing = await newClient(server, { resources: [{ resource: API }] })
    const own = basic(changing.id, changing.client_secret)
    assert.equal((await ask({}, own)).byEngine, false)
    await server.manage('PATCH', `/v1/clients/${changing.id}`, { resources: [] })
    assert.equal((await ask({ resource: API }, own)).body.error, 'invalid_target')
    await server.manage('PATCH', `/v1/clients/${changing.id}`, { resources: [{ resource: API }] })
    await server.manage('POST', `/v1/clients/${changing.id}/secrets/${changing.secrets[0].id}/revoke`, {})
    assert.equal((await ask({}, own)).status, 401)
  })

  it('gives a token from before a revocation that commits while the client is being checked', async () => {
    const ending = await newClient(server, { resources: [{ resource: API }] })
    const { Client } = engine.provider
    const find = Client.find.bind(Client)
    const found = mock.method(Client, 'find', async (id: string) => {
      const before = await find(id)
      await server.manage('PATCH', `/v1/clients/${ending.id}`, { disabled: true })
      await server.manage('PATCH', `/v1/clients/${ending.id}`, { disabled: false })
      return before
    })
    const { body, byEngine } = await ask({}, basic(ending.id, ending.client_secret))
    found.mock.restore()
    assert.equal(byEngine, false)
    const api = await newClient(server, { introspects: [API] })
    const told = await server.form(
      '/introspect',
      { token: body.access_token },
      basic(api.id, api.client_secret),
    )
    assert.deepEqual(told.body, { active: false })
  })

  it('notes what it issued as the engine does', async () => {
    const noted = await newClient(server, { resources: [{ resource: API }] })
    const own = basic(noted.id, noted.client_secret)
    await ask({}, own)
    await ask(FOR_THE_ENGINE, own)
    const count = async (): Promise<number> => {
      const { data } = await server.manage('GET', '/v1/activity?kind=oauth_issued&limit=100')
      const ours = data.filter((row: Json) => row.credential === noted.id)
      assert.ok(ours.every((row: Json) => row.route === '/token' && row.code === 'client_credentials'))
      return ours.reduce((sum: number, row: Json) => sum + row.count, 0)
    }
    // Written a moment after the reply.
    for (let round = 0; round < 30 && (await count()) < 2; round++)
      await new Promise((resolve) => setTimeout(resolve, 100))
    assert.equal(await count(), 2)
  })
})
