/** The gateway's endpoints, asked as each proxy asks. That the proxies really ask so is in server/test/gateway. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { KyselyPlugin } from 'kysely'
import { onBothDatabases } from '../../test/databases.ts'
import { eventually } from '../../test/deployment.ts'
import {
  API,
  type Answer,
  ask,
  bytes,
  type GatewayServer,
  OLD_SECRET,
  OPEN_HOST,
  openGatewayServer,
  SECRET,
} from '../../test/gateway/protected.ts'
import { claimsOf } from '../../test/oauth-server.ts'
import { dpopHolder, proofClaims } from '../../test/tokens/dpop.ts'
import { ownTokens } from '../../test/tokens/own-tokens.ts'
import { IDENTITY_HEADERS } from './index.ts'

type Header = readonly [string, string]

interface Original {
  readonly method?: string
  readonly host?: string
  readonly uri?: string
  readonly secret?: string | null
  readonly more?: readonly Header[]
}

const PROXIES = ['traefik', 'caddy', 'nginx', 'haproxy', 'envoy'] as const
type Proxy = (typeof PROXIES)[number]

/** What each proxy sends. */
function asProxy(port: number, proxy: Proxy, original: Original = {}): Promise<Answer> {
  const { method = 'GET', host = OPEN_HOST, uri = '/orders', secret = SECRET, more = [] } = original
  const proof: Header[] = secret === null ? [] : [['Postern-Gateway-Secret', secret]]
  if (proxy === 'envoy')
    return ask(
      port,
      `/gateway/envoy${uri}`,
      [['Host', host], ['X-Forwarded-Proto', 'https'], ['X-Forwarded-For', '203.0.113.7'], ...proof, ...more],
      { method },
    )
  const prefix = proxy === 'traefik' || proxy === 'caddy' ? 'X-Forwarded' : 'X-Original'
  return ask(
    port,
    `/gateway/${proxy}`,
    [
      ['Host', 'postern.internal'],
      [`${prefix}-Method`, method],
      [`${prefix}-Proto`, 'https'],
      [`${prefix}-Host`, host],
      [`${prefix}-Uri`, uri],
      [`${prefix}-For`, '203.0.113.7'],
      ...proof,
      ...more,
    ],
    { method: proxy === 'haproxy' ? 'HEAD' : 'GET' },
  )
}

/** Counts what goes through the storage, but for the node's own reading of the feed. */
function countOn({ deployment: { storage } }: GatewayServer): { reads: number; writes: number } {
  const counted = { reads: 0, writes: 0 }
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      if (!/"name":"feed_(head|rows)"/.test(JSON.stringify('from' in node ? node.from : undefined) ?? ''))
        counted.reads++
      return node
    },
    transformResult: async ({ result }) => result,
  }
  const { read, scan, write } = storage
  storage.read = <Tables>() => read<Tables>().withPlugin(plugin)
  storage.scan = <Tables>() => scan<Tables>().withPlugin(plugin)
  storage.write = (work) => {
    counted.writes++
    return write(work)
  }
  return counted
}

onBothDatabases('the gateway', (fresh) => {
  let server: GatewayServer
  let bearer: Header
  before(async () => {
    server = await openGatewayServer(await fresh())
    bearer = ['Authorization', `Bearer ${server.key.key}`]
    const route = (body: object) => server.manage('POST', '/v1/gateway/routes', { host: OPEN_HOST, ...body })
    await route({ path: '/public', anonymous: true })
    await route({ path: '/maybe', anonymous: true, resource: API })
    await route({ path: '/orders', methods: ['GET'], resource: API, scopes: ['orders:read'] })
    await route({ path: '/orders', methods: ['POST'], resource: API, scopes: ['orders:write'] })
    await route({ path: '/people', resource: API, credentials: ['session'] })
    await route({ path: '/strong', resource: API, acr_values: ['urn:postern:acr:mfa'] })
    await route({ path: '/v1/*/invoices', resource: API, upstream: 'https://invoices.internal' })
  })
  after(() => server.close())

  for (const proxy of PROXIES)
    it(`lets a known key pass for ${proxy}, and says who it is in every identity header`, async () => {
      const answer = await asProxy(server.port, proxy, { more: [bearer] })
      assert.equal(answer.status, 200, answer.text)
      for (const name of IDENTITY_HEADERS) assert.ok(name.toLowerCase() in answer.headers, name)
      assert.equal(answer.headers['postern-subject'], 'customer-1')
      assert.equal(answer.headers['postern-scopes'], 'orders:read')
      assert.equal(answer.headers['postern-credential'], server.key.id)
      assert.equal(answer.headers['postern-client'], '')
    })

  it('names nobody where nobody was asked, in every identity header', async () => {
    for (const uri of ['/public/x', '/maybe']) {
      const answer = await asProxy(server.port, 'traefik', { uri, more: [['Postern-Subject', 'root']] })
      assert.equal(answer.status, 200)
      for (const name of IDENTITY_HEADERS) assert.equal(answer.headers[name.toLowerCase()], '', name)
    }
    const wrong = await asProxy(server.port, 'traefik', { uri: '/maybe', more: [['X-API-Key', 'nonsense']] })
    assert.equal(wrong.status, 401, 'a wrong credential is not nobody')
  })

  it('signs an identity token for the upstream alone, which is no access token, and signs once in half its life', async () => {
    const first = await asProxy(server.port, 'caddy', { uri: '/v1/acme/invoices', more: [bearer] })
    const token = String(first.headers['postern-identity'])
    const claims = claimsOf(token)
    assert.equal(claims.aud, 'https://invoices.internal')
    assert.equal(claims.exp - claims.iat, 60)
    assert.ok(claims.refs.includes(`api_key:${server.key.id}`))
    assert.ok(Number.isSafeInteger(claims.rsn))
    const header = JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString())
    assert.deepEqual([header.typ, header.alg], ['postern-identity+jwt', 'ES256'])
    const verdict = await server.manage('POST', '/v1/verify', { credential: token })
    assert.equal(verdict.code, 'unsupported')
    const again = await asProxy(server.port, 'caddy', { uri: '/v1/acme/invoices', more: [bearer] })
    assert.equal(again.headers['postern-identity'], token)
    const other = await asProxy(server.port, 'caddy', { more: [bearer] })
    assert.equal(claimsOf(String(other.headers['postern-identity'])).aud, `https://${OPEN_HOST}`)
    server.clock.advanceMonotonic(31_000)
    server.clock.advance(31_000)
    const later = await asProxy(server.port, 'caddy', { uri: '/v1/acme/invoices', more: [bearer] })
    assert.notEqual(later.headers['postern-identity'], token)
  })

  it('answers no proxy that does not prove itself', async () => {
    for (const proxy of PROXIES)
      for (const secret of [null, '', 'a guess', `${SECRET}x`, SECRET.slice(0, -1)]) {
        const answer = await asProxy(server.port, proxy, { secret, more: [bearer] })
        assert.equal(answer.status, 403, `${proxy} ${secret}`)
        assert.equal(answer.headers['postern-denial'], 'gateway_untrusted_proxy')
      }
    const twice = await asProxy(server.port, 'nginx', { more: [bearer, ['Postern-Gateway-Secret', SECRET]] })
    assert.equal(twice.status, 403)
    const old = await asProxy(server.port, 'nginx', { secret: OLD_SECRET, more: [bearer] })
    assert.equal(old.status, 200, 'the secret before is taken while it is being replaced')
  })

  it("reads the request from its own proxy's headers and from no other's", async () => {
    const forged: Header[] = [
      ['X-Forwarded-Uri', '/public'],
      ['X-Forwarded-Method', 'GET'],
      ['X-Forwarded-Host', OPEN_HOST],
    ]
    for (const proxy of ['nginx', 'haproxy'] as const) {
      const answer = await asProxy(server.port, proxy, { more: forged })
      assert.equal(answer.status, 401, proxy)
    }
    const envoy = await asProxy(server.port, 'envoy', { more: forged })
    assert.equal(envoy.status, 401)
    const traefik = await asProxy(server.port, 'traefik', { more: [['X-Original-Uri', '/public']] })
    assert.equal(traefik.status, 401)
    const twice = await asProxy(server.port, 'traefik', { more: [['X-Forwarded-Uri', '/public'], bearer] })
    assert.equal(twice.status, 403)
  })

  it('refuses aliases of identity and forwarding headers, and Connection headers that would drop them', async () => {
    for (const [name, value] of [
      ['X_Forwarded_Uri', '/public'],
      ['X-Forwarded.Uri', '/public'],
      ['Postern_Subject', 'root'],
      ['postern.subject', 'root'],
      ['Remote_User', 'root'],
      ['X_API_Key', 'x'],
      ['Connection', 'close, Postern-Subject'],
      ['Connection', 'postern_identity'],
    ] as const) {
      const answer = await asProxy(server.port, 'haproxy', { more: [bearer, [name, value]] })
      assert.equal(answer.status, 403, name)
      assert.equal(answer.headers['postern-denial'], 'gateway_ambiguous', name)
    }
    const harmless = await asProxy(server.port, 'haproxy', { more: [bearer, ['X_Tracking', '1']] })
    assert.equal(harmless.status, 200)
  })

  it('denies every path that has two readings', async () => {
    for (const uri of [
      '/public/../orders',
      '/public/..',
      '/public/./x',
      '/public/%2e%2e/orders',
      '/public/%2E%2E/orders',
      '/public%2f..%2forders',
      '/public//orders',
      '//public',
      '/public/;x=1',
      '/public;/orders',
      '/public\\..\\orders',
      '/public%5c..%5corders',
      '/%70ublic',
      '/public/%252e%252e',
      '/public/%00',
      '/public/%zz',
      '/public/%e0%80%ae',
      '/public/%ff',
      '/public/%EF%BC%8F',
      '/public#x',
      'https://other.example/public',
      'public',
      '*',
      `/public/${'a'.repeat(9_000)}`,
    ]) {
      const answer = await asProxy(server.port, 'nginx', { uri })
      assert.equal(answer.status, 403, uri.slice(0, 40))
      assert.equal(answer.headers['postern-denial'], 'gateway_ambiguous', uri.slice(0, 40))
    }
    for (const uri of ['/public/a%20b', '/public/%C3%A9', '/public/a.b', '/public/..x', '/public?x=//..;%2e'])
      assert.equal((await asProxy(server.port, 'nginx', { uri })).status, 200, uri)
  })

  it('refuses two credentials, and one header twice, with 401', async () => {
    for (const more of [
      [bearer, ['X-API-Key', server.key.key]],
      [bearer, bearer],
      [
        ['X-API-Key', server.key.key],
        ['x-api-key', server.key.key],
      ],
      [bearer, ['Cookie', `__Host-postern-app=${'a'.repeat(43)}`]],
      [['Cookie', `__Host-postern-app=${'a'.repeat(43)}; __Host-postern-app=${'b'.repeat(43)}`]],
    ] as Header[][]) {
      const answer = await asProxy(server.port, 'envoy', { more })
      assert.equal(answer.status, 401)
      assert.equal(answer.headers['postern-denial'], 'multiple_credentials')
    }
  })

  it('judges each request anew: method, scope, kind of credential, sign-in, host', async () => {
    const code = async (original: Original): Promise<unknown> =>
      (await asProxy(server.port, 'traefik', { more: [bearer], ...original })).headers['postern-denial']
    assert.equal(await code({}), undefined)
    assert.equal(await code({ method: 'POST' }), 'insufficient_scope')
    assert.equal(await code({ method: 'DELETE' }), 'gateway_no_route')
    assert.equal(await code({ uri: '/ordersx' }), 'gateway_no_route')
    assert.equal(await code({ uri: '/people' }), 'unsupported')
    assert.equal(await code({ uri: '/strong' }), 'insufficient_authentication')
    assert.equal(await code({ host: 'other.example.test' }), 'gateway_no_route')
    assert.equal(await code({ host: `${OPEN_HOST}.` }), 'gateway_ambiguous')
    assert.equal(await code({ uri: `/orders?key=${server.key.key}` }), 'exposed_in_url')
    assert.equal(await code({ more: [bearer, ['Origin', 'https://evil.example']] }), 'exposed_in_browser')
  })

  it('passes on only 401 and 403 to nginx, and says what it meant', async () => {
    const missing = await asProxy(server.port, 'nginx')
    assert.deepEqual([missing.status, missing.headers['postern-status'], missing.text], [401, '401', ''])
    assert.match(String(missing.headers['www-authenticate']), /^Bearer/)
    const scope = await asProxy(server.port, 'nginx', { method: 'POST', more: [bearer] })
    assert.deepEqual([scope.status, scope.headers['postern-status']], [403, '403'])
  })

  it('takes a token that is bound to a key with a proof for the request that was called, once', async () => {
    const mint = await ownTokens({ ...server, done: server.manage }, server.resource)
    const holder = dpopHolder()
    const token = mint({ cnf: { jkt: holder.jkt } })
    const claims = (htu = `https://${OPEN_HOST}/orders`) =>
      proofClaims(token, server.clock.nowMs(), { htm: 'GET', htu })
    const code = async (proxy: Proxy, more: Header[], scheme = 'DPoP'): Promise<unknown> => {
      const answer = await asProxy(server.port, proxy, {
        uri: '/orders?a=1',
        more: [['Authorization', `${scheme} ${token}`], ...more],
      })
      return answer.headers['postern-denial'] ?? answer.status
    }
    for (const proxy of PROXIES) {
      const proof = holder.prove(claims())
      assert.equal(await code(proxy, [['DPoP', proof]]), 200, proxy)
      assert.equal(await code(proxy, [['DPoP', proof]]), 'proof_invalid', 'seen before')
      const elsewhere = holder.prove(claims('https://postern.internal/gateway/nginx'))
      assert.equal(await code(proxy, [['DPoP', elsewhere]]), 'proof_invalid', "the gateway's own URL")
    }
    assert.equal(await code('nginx', []), 'proof_required')
    assert.equal(await code('nginx', [['DPoP', holder.prove(claims())]], 'Bearer'), 'proof_required')
    const twice: Header[] = [0, 1].map(() => ['DPoP', holder.prove(claims())])
    assert.equal(await code('nginx', twice), 'proof_invalid')
    const other = dpopHolder()
    assert.equal(await code('nginx', [['DPoP', other.prove(claims())]]), 'proof_invalid')
  })

  it('counts what passes against its limits, and tells each proxy when they are used up', async () => {
    for (const proxy of PROXIES) {
      const { id, key } = await server.manage('POST', '/v1/keys', {
        name: proxy,
        owner: 'limited',
        resource: API,
        scopes: ['orders:read'],
      })
      const limits = [{ type: 'rate', name: 'slow', limit: 2, window_seconds: 3600, burst: 2 }]
      await server.manage('PUT', `/v1/limits/key/${id}`, { limits })
      const asking = (original: Original = {}) =>
        asProxy(server.port, proxy, { more: [['X-API-Key', key]], ...original })
      const first = await asking()
      assert.equal(first.status, 200)
      assert.equal(first.headers['ratelimit-policy'], '"slow";q=2;w=3600')
      assert.match(String(first.headers['ratelimit']), /^"slow";r=1;t=\d+$/)
      for (let count = 0; count < 3; count++) {
        assert.equal((await asking({ method: 'POST' })).headers['postern-denial'], 'insufficient_scope')
        assert.equal((await asking({ uri: '/people' })).headers['postern-denial'], 'unsupported')
      }
      assert.equal((await asking()).status, 200, 'what was refused for something else cost nothing')
      const over = await asking()
      assert.equal(over.status, proxy === 'nginx' ? 403 : 429, proxy)
      assert.equal(over.headers['postern-status'], proxy === 'nginx' ? '429' : undefined)
      assert.equal(over.headers['postern-denial'], 'rate_limited')
      assert.equal(over.headers['retry-after'], '1800')
      assert.match(String(over.headers['ratelimit']), /^"slow";r=0;t=\d+$/)
      const quota = [{ type: 'quota', name: 'few', limit: 1, period: 'day' }]
      await server.manage('PUT', `/v1/limits/key/${id}`, { limits: quota })
      await eventually('the quota refuses', async () => {
        const answer = await asking()
        return answer.headers['postern-denial'] === 'quota_exceeded' && 'retry-after' in answer.headers
      })
    }
  })

  it('answers in order on one connection, and says when it ends it', async () => {
    const request = (uri: string, more = '', version = '1.1') =>
      `GET /gateway/caddy HTTP/${version}\r\nHost: postern.internal\r\nPostern-Gateway-Secret: ${SECRET}\r\n` +
      `X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: ${OPEN_HOST}\r\nX-Forwarded-Uri: ${uri}\r\n` +
      `${bearer.join(': ')}\r\n${more}\r\n`
    const close = 'Connection: close\r\n'
    const fresh = await server.manage('POST', '/v1/keys', {
      name: 'seen for the first time',
      owner: 'customer-2',
      resource: API,
      scopes: ['orders:read'],
    })
    const first = request('/orders').replace(server.key.key, fresh.key)
    // The first needs the database, those behind it do not: they wait for it all the same.
    const many = await bytes(
      server.port,
      first + request('/public') + request('/nothing') + request('/orders', close),
    )
    assert.deepEqual(
      [...many.matchAll(/HTTP\/1\.1 (\d+)|^Postern-Subject: (.*?)\r$/gm)].map(
        ([, status, who]) => status ?? who,
      ),
      ['200', 'customer-2', '200', '', '403', '200', 'customer-1'],
    )
    assert.equal([...many.matchAll(/^Connection: close\r$/gim)].length, 1)
    const [, date = ''] = /^Date: (.+)\r$/m.exec(many) ?? []
    assert.ok(Math.abs(Date.parse(date) - Date.now()) < 600_000, date)
    const old = await bytes(server.port, request('/orders', '', '1.0'))
    assert.match(old, /^HTTP\/1\.1 200 OK\r\n[^]*^Connection: close\r$/m)
  })

  it('shows a browser that is refused a page, where the proxy passes it on', async () => {
    const html: Header = ['Accept', 'text/html,application/xhtml+xml']
    for (const proxy of ['traefik', 'caddy', 'envoy'] as const)
      for (const [uri, code] of [
        ['/nothing', 'gateway_no_route'],
        ['/orders?x', 'unknown'],
      ] as const) {
        const answer = await asProxy(server.port, proxy, { uri, more: [html, ['X-API-Key', 'nonsense']] })
        assert.equal(answer.headers['postern-denial'], code)
        assert.match(String(answer.headers['content-type']), /^text\/html/)
        assert.match(String(answer.headers['content-security-policy']), /default-src 'none'/)
        assert.match(answer.text, new RegExp(`<code>${code}</code>`))
      }
    const script = await asProxy(server.port, 'caddy', { uri: '/nothing', more: [['Accept', '*/*']] })
    assert.match(String(script.headers['content-type']), /^application\/problem\+json/)
    assert.equal((await asProxy(server.port, 'nginx', { uri: '/nothing', more: [html] })).text, '')
  })

  it('sends a browser without a session to sign in, on a host of the list alone', async () => {
    const html: Header = ['Accept', 'text/html,application/xhtml+xml']
    const at = async (original: Original, proxy: Proxy = 'traefik'): Promise<Answer> =>
      asProxy(server.port, proxy, { uri: '/people?a=1&b=2', more: [html], ...original })
    const expected = `https://${OPEN_HOST}/.postern/sign-in?return=${encodeURIComponent('/people?a=1&b=2')}`
    const sent = await at({})
    assert.deepEqual([sent.status, sent.headers.location], [302, expected])
    const nginx = await at({}, 'nginx')
    assert.deepEqual(
      [nginx.status, nginx.headers['postern-status'], nginx.headers['postern-redirect']],
      [401, '302', expected],
    )
    assert.equal((await at({ more: [] })).status, 401, 'not a page')
    assert.equal((await at({ method: 'POST' })).status, 401)
    await server.manage('POST', '/v1/gateway/routes', { host: 'unlisted.example.test', resource: API })
    assert.equal((await at({ host: 'unlisted.example.test' })).status, 401)
  })

  it('hears at once of a route that changed, in every process, and audits it', async (t) => {
    const second = await server.secondNode()
    t.after(() => second.close())
    const seenBy = async (node: GatewayServer): Promise<number> =>
      (await asProxy(node.port, 'caddy', { host: 'new.example.test', more: [bearer] })).status
    assert.deepEqual([await seenBy(server), await seenBy(second)], [403, 403])
    const route = await server.manage('POST', '/v1/gateway/routes', {
      host: 'new.example.test',
      resource: API,
    })
    assert.equal(await seenBy(server), 200)
    await eventually('the other node answers by the new route', async () => (await seenBy(second)) === 200)
    await server.manage('PATCH', `/v1/gateway/routes/${route.id}`, { scopes: ['orders:write'] })
    assert.equal(await seenBy(server), 403)
    await server.manage('DELETE', `/v1/gateway/routes/${route.id}`)
    await eventually('the other node forgets it', async () => (await seenBy(second)) === 403)
    const { data } = await server.manage('GET', '/v1/audit?limit=3')
    assert.deepEqual(data.map((event: { action: string }) => event.action).sort(), [
      'gateway_route.created',
      'gateway_route.deleted',
      'gateway_route.updated',
    ])
  })

  it('refuses a revoked key at once', async () => {
    const key = await server.manage('POST', '/v1/keys', {
      name: 'k',
      owner: 'o',
      resource: API,
      scopes: ['orders:read'],
    })
    const status = async () =>
      (await asProxy(server.port, 'nginx', { more: [['Authorization', `Bearer ${key.key}`]] })).status
    assert.equal(await status(), 200)
    await server.manage('POST', `/v1/keys/${key.id}/revoke`, { reason: 'test' })
    assert.equal(await status(), 401)
  })

  it('costs the database two reads at first sight, and neither read nor write afterwards', async () => {
    const key = await server.manage('POST', '/v1/keys', {
      name: 'k',
      owner: 'o',
      resource: API,
      scopes: ['orders:read'],
    })
    const counted = countOn(server)
    const asking = { more: [['X-API-Key', key.key] as const] }
    assert.equal((await asProxy(server.port, 'nginx', asking)).status, 200)
    const { reads } = counted
    assert.equal(reads, 2)
    for (let count = 0; count < 50; count++)
      assert.equal((await asProxy(server.port, 'nginx', asking)).status, 200)
    assert.equal(counted.reads, 2)
    // What follows an answer (last use, usage) is written later, by timers, for all of them; nothing waits for it.
    assert.ok(counted.writes <= 12, `${counted.writes} writes for 51 answers`)
  })

  it('explains which route answers, and why the others do not', async () => {
    const explain = (url: string) => server.manage('POST', '/v1/gateway/explain', { method: 'GET', url })
    const orders = await explain(`https://${OPEN_HOST}/orders/7`)
    assert.deepEqual(orders.route.scopes, ['orders:read'])
    assert.deepEqual(
      orders.tried.map(({ misfit }: { misfit: string | null }) => misfit),
      ['path', 'path', null],
    )
    assert.equal((await explain(`https://${OPEN_HOST}/nothing`)).route, null)
    assert.match((await explain(`https://${OPEN_HOST}/a/%2e%2e/b`)).why, /more than one path/)
  })
})

describe('a gateway without a secret', () => {
  it('answers nobody, and says why', async () => {
    const { freshSqlite } = await import('../../test/databases.ts')
    const database = freshSqlite()
    const server = await openGatewayServer(database, {
      env: { POSTERN_GATEWAY_SECRET: undefined, POSTERN_GATEWAY_SECRET_PREVIOUS: undefined },
    })
    for (const proxy of PROXIES) {
      const answer = await asProxy(server.port, proxy, {
        more: [['Authorization', `Bearer ${server.key.key}`]],
      })
      assert.equal(answer.status, proxy === 'nginx' ? 403 : 503)
      assert.equal(answer.headers['postern-denial'], 'gateway_not_configured')
    }
    const answer = await asProxy(server.port, 'caddy')
    assert.match(answer.text, /POSTERN_GATEWAY_SECRET is not set/)
    await server.close()
    await database.drop()
  })
})

describe('a gateway with a list of proxies', () => {
  it('takes the secret from these addresses alone', async () => {
    const { freshSqlite } = await import('../../test/databases.ts')
    const database = freshSqlite()
    const far = await openGatewayServer(database, { env: { POSTERN_GATEWAY_PROXIES: '198.51.100.0/24' } })
    assert.equal((await asProxy(far.port, 'caddy')).headers['postern-denial'], 'gateway_untrusted_proxy')
    await far.close()
    const near = await openGatewayServer(database, {
      env: { POSTERN_GATEWAY_PROXIES: '127.0.0.1' },
      operatorKey: far.operatorKey,
    })
    assert.equal((await asProxy(near.port, 'caddy')).headers['postern-denial'], 'gateway_no_route')
    await near.close()
    await database.drop()
  })
})
