/**
 * What the gateway promises, through the real proxies: what a client sends, and what the application behind gets to see.
 * One that is not installed is skipped, and says so.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { freshSqlite, type TestDatabase } from '../databases.ts'
import { systemClock } from '../../src/kernel/index.ts'
import { freePort } from '../postgres-cluster.ts'
import { claimsOf } from '../oauth-server.ts'
import { dpopHolder, proofClaims } from '../tokens/dpop.ts'
import { ownTokens } from '../tokens/own-tokens.ts'
import {
  API,
  type Answer,
  ask,
  type GatewayServer,
  openGatewayServer,
  SECRET,
  startUpstream,
  type Upstream,
} from './protected.ts'
import { REAL_PROXIES, type RunningProxy } from './proxies.ts'

type Header = readonly [string, string]
const HOST = 'app.localhost'

for (const proxy of REAL_PROXIES)
  describe(`behind the real ${proxy.name}`, { skip: proxy.missing ?? false }, () => {
    let database: TestDatabase
    let server: GatewayServer
    let upstream: Upstream
    let running: RunningProxy
    let listen: number
    let bearer: Header

    const to = (
      path: string,
      more: readonly Header[] = [],
      how: { method?: string; body?: string } = {},
    ): Promise<Answer> =>
      ask(
        listen,
        path,
        [
          ['Host', `${HOST}:${listen}`],
          ...(how.body === undefined
            ? []
            : [['Content-Length', String(Buffer.byteLength(how.body))] as const]),
          ...more,
        ],
        how,
      )
    /** What reached the application; fails when nothing did. */
    const passed = async (path: string, more: readonly Header[] = [], how = {}) => {
      const answer = await to(path, more, how)
      assert.equal(answer.status, 200, `${answer.status} ${answer.text}`)
      return JSON.parse(answer.text) as {
        method: string
        url: string
        headers: Record<string, string>
        rawHeaders: string[]
      }
    }
    /** The status, where nothing may reach the application. */
    const refused = async (path: string, more: readonly Header[] = [], how = {}): Promise<number> => {
      const before = upstream.seen()
      const { status } = await to(path, more, how)
      assert.equal(upstream.seen(), before, `${path.slice(0, 60)} reached the application`)
      assert.ok(
        status >= 300 && status !== 500,
        `${path.slice(0, 60)} ${JSON.stringify(more).slice(0, 100)}: ${status}`,
      )
      return status
    }

    before(async () => {
      database = freshSqlite()
      listen = await freePort()
      upstream = await startUpstream()
      server = await openGatewayServer(database, {
        realClock: true,
        env: { POSTERN_GATEWAY_HOSTS: `http://${HOST}:${listen}` },
      })
      bearer = ['Authorization', `Bearer ${server.key.key}`]
      const route = (body: object) => server.manage('POST', '/v1/gateway/routes', { host: HOST, ...body })
      await route({ path: '/public', anonymous: true })
      await route({ path: '/orders', methods: ['GET'], resource: API, scopes: ['orders:read'] })
      await route({ path: '/orders', methods: ['POST'], resource: API, scopes: ['orders:write'] })
      running = await proxy.start({
        listen,
        host: HOST,
        postern: server.port,
        upstream: upstream.port,
        secret: SECRET,
        cookie: `postern-app-${listen}`,
      })
    })
    after(async () => {
      await running?.stop()
      await server?.close()
      await upstream?.close()
      await database?.drop()
    })

    it('tells the application who calls, and keeps the credential from it', async () => {
      for (const credential of [bearer, ['X-API-Key', server.key.key] as const]) {
        const { headers, url } = await passed('/orders?a=1', [credential])
        assert.equal(url, '/orders?a=1')
        assert.equal(headers['postern-subject'], 'customer-1')
        assert.equal(headers['postern-credential'], server.key.id)
        assert.equal(claimsOf(headers['postern-identity'] as string).aud, `http://${HOST}`)
        for (const name of ['authorization', 'x-api-key', 'postern-gateway-secret'])
          assert.equal(headers[name] ?? '', '', name)
      }
    })

    it('refuses without a credential by 401 with a challenge, and without the scope by 403', async () => {
      assert.equal(await refused('/orders'), 401)
      assert.match(String((await to('/orders')).headers['www-authenticate']), /^Bearer/)
      assert.equal(await refused('/orders', [['X-API-Key', 'nonsense']]), 401)
      assert.equal(await refused('/orders', [bearer], { method: 'POST', body: '{}' }), 403)
      assert.equal(await refused('/nothing', [bearer]), 403)
    })

    it("lets no identity header of the client's survive, in any spelling", async () => {
      const forged: Header[] = [
        ['Postern-Subject', 'root'],
        ['postern-tenant', 'root'],
        ['Postern-Roles', 'admin'],
        ['Postern-Identity', 'forged'],
        ['Postern-Client', 'cli_root'],
        ['Postern-Gateway-Secret', SECRET],
      ]
      const nobody = await passed('/public', forged)
      const known = await passed('/orders', [bearer, ...forged])
      for (const { rawHeaders } of [nobody, known])
        assert.doesNotMatch(JSON.stringify(rawHeaders), /root|admin|forged/)
      assert.equal(nobody.headers['postern-subject'] ?? '', '')
      assert.equal(known.headers['postern-subject'], 'customer-1')
      for (const name of ['Postern_Subject', 'Postern.Subject', 'POSTERN_TENANT']) {
        const answer = await to('/orders', [bearer, [name, 'root']])
        // Some proxies drop such a header, the others ask and are told to refuse it.
        assert.doesNotMatch(answer.text, /root/, name)
        assert.ok([200, 400, 403].includes(answer.status), `${name}: ${answer.status}`)
      }
    })

    it("believes the proxy about the request, and not the client's forwarding headers", async () => {
      const forged: Header[] = ['X-Forwarded', 'X-Original'].flatMap((prefix): Header[] => [
        [`${prefix}-Uri`, '/public'],
        [`${prefix}-URL`, '/public'],
        [`${prefix}-Method`, 'GET'],
        [`${prefix}-Path`, '/public'],
      ])
      assert.equal(await refused('/orders', forged), 401)
      assert.ok(
        [401, 403].includes(await refused('/orders', [...forged, ['X-Forwarded-Host', 'other.localhost']])),
      )
      for (const name of ['X_Forwarded_Uri', 'X_Original_URI', 'X-Original.URI'])
        assert.ok([400, 401, 403].includes(await refused('/orders', [[name, '/public']])), name)
      const { key } = await server.manage('POST', '/v1/keys', {
        name: 'near',
        owner: 'o',
        resource: API,
        scopes: ['orders:read'],
        ip_allow: ['203.0.113.7'],
      })
      const claimed: Header[] = ['X-Forwarded-For', 'X-Original-For', 'X-Real-IP'].map((name) => [
        name,
        '203.0.113.7',
      ])
      assert.equal(
        await refused('/orders', [['X-API-Key', key], ...claimed]),
        403,
        'an address that a client claims',
      )
    })

    it('does not let a Connection header take the identity away', async () => {
      for (const list of [
        'Postern-Subject',
        'close, Postern-Identity',
        'X-Forwarded-Uri',
        'keep-alive, Authorization',
      ]) {
        const answer = await to('/orders', [bearer, ['Connection', list]])
        if (answer.status === 200)
          assert.equal(JSON.parse(answer.text).headers['postern-subject'], 'customer-1', list)
        else assert.ok([400, 401, 403].includes(answer.status), `${list}: ${answer.status}`)
      }
    })

    it('denies paths with two readings', async () => {
      for (const path of [
        '/public/../orders',
        '/public/%2e%2e/orders',
        '/public%2f..%2forders',
        '/public//x',
        '/public/;x',
        '/public/..;/orders',
        '/public/%5c..%5corders',
        '/public/%252e%252e/orders',
        '/public/%zz',
      ])
        await refused(path)
      assert.equal((await passed('/public/a%20b')).url, '/public/a%20b')
    })

    it('refuses two credentials', async () => {
      assert.equal(await refused('/orders', [bearer, ['X-API-Key', server.key.key]]), 401)
      const twice = await refused('/orders', [
        ['X-API-Key', server.key.key],
        ['X-API-Key', server.key.key],
      ])
      assert.ok([400, 401].includes(twice), String(twice))
    })

    it('takes a bound token with a proof, and keeps the proof from the application', async () => {
      const mint = await ownTokens({ ...server, clock: systemClock, done: server.manage }, server.resource)
      const holder = dpopHolder()
      const token = mint({ cnf: { jkt: holder.jkt } })
      const asking = (): Header[] => {
        const called = { htm: 'GET', htu: `http://${HOST}:${listen}/orders` }
        const proof = holder.prove(proofClaims(token, Date.now(), called))
        return [
          ['Authorization', `DPoP ${token}`],
          ['DPoP', proof],
        ]
      }
      const { headers } = await passed('/orders?a=1', asking())
      assert.equal(claimsOf(headers['postern-identity'] as string).sub, claimsOf(token).sub)
      for (const name of ['authorization', 'dpop']) assert.equal(headers[name] ?? '', '', name)
      const sent = asking()
      await passed('/orders', sent)
      assert.equal(await refused('/orders', sent), 401, 'the same proof again')
      assert.equal(await refused('/orders', [['Authorization', `DPoP ${token}`]]), 401)
    })

    it('answers 429 with Retry-After when a limit is used up', async () => {
      const { id, key } = await server.manage('POST', '/v1/keys', {
        name: 'limited',
        owner: 'limited',
        resource: API,
        scopes: ['orders:read'],
      })
      const limits = [{ type: 'rate', name: 'slow', limit: 1, window_seconds: 3600, burst: 1 }]
      await server.manage('PUT', `/v1/limits/key/${id}`, { limits })
      await passed('/orders', [['X-API-Key', key]])
      const before = upstream.seen()
      const { status, headers } = await to('/orders', [['X-API-Key', key]])
      assert.deepEqual([status, upstream.seen()], [429, before])
      assert.ok(Number(headers['retry-after']) > 3_000, String(headers['retry-after']))
      assert.match(String(headers['ratelimit']), /^"slow";r=0;t=\d+$/)
      assert.equal(headers['ratelimit-policy'], '"slow";q=1;w=3600')
    })

    it('keeps the gateway itself from the outside', async () => {
      const proof: Header[] = [
        ['Postern-Gateway-Secret', SECRET],
        ['X-Original-Uri', '/public'],
        ['X-Forwarded-Uri', '/public'],
      ]
      for (const path of [
        '/gateway/nginx',
        '/gateway/envoy/public',
        '//gateway/caddy',
        '/.postern/../gateway/nginx',
        '/.postern/ask',
      ])
        assert.ok((await refused(path, proof)) >= 400, path)
    })

    it('refuses headers that are too large', async () => {
      const { status } = await to('/orders', [bearer, ['X-Filler', 'a'.repeat(60_000)]])
      assert.ok(status >= 400, String(status))
    })

    it('takes its own cookie out of what the application gets, and leaves the others', async () => {
      const own = `postern-app-${listen}=${'a'.repeat(43)}`
      for (const cookie of [`${own}; a=1; b=2`, `a=1; ${own}; b=2`, `a=1; b=2; ${own}`]) {
        const { headers } = await passed('/public', [['Cookie', cookie]])
        assert.deepEqual(
          (headers['cookie'] ?? '')
            .split(';')
            .map((pair) => pair.trim())
            .filter((pair) => pair !== ''),
          ['a=1', 'b=2'],
        )
      }
      assert.equal((await passed('/public', [['Cookie', 'a=1']])).headers['cookie'], 'a=1')
    })

    it('leads a browser to sign-in', async () => {
      await server.manage('POST', '/v1/gateway/routes', { host: HOST, path: '/people', resource: API })
      const answer = await to('/people/x?y=1', [['Accept', 'text/html']])
      assert.equal(answer.status, 302)
      assert.equal(
        answer.headers.location,
        `http://${HOST}:${listen}/.postern/sign-in?return=${encodeURIComponent('/people/x?y=1')}`,
      )
      const page = await to('/.postern/sign-in?return=%2Fpeople', [])
      assert.equal(page.status, 303)
      assert.match(String(page.headers.location), /^http:\/\/localhost:\d+\/sign-in\/app\?origin=/)
      assert.match(String(page.headers['set-cookie']), /^postern-app-state-\d+=.*HttpOnly; SameSite=Lax/)
    })

    it('refuses a proxy whose secret is not ours', async () => {
      const port = await freePort()
      const stranger = await proxy.start({
        listen: port,
        host: HOST,
        postern: server.port,
        upstream: upstream.port,
        secret: 'a secret that nobody was given at all',
        cookie: `postern-app-${port}`,
      })
      const before = upstream.seen()
      const { status } = await ask(port, '/public', [['Host', `${HOST}:${port}`], bearer])
      assert.deepEqual([status, upstream.seen()], [403, before])
      await stranger.stop()
    })
  })

const nginx = REAL_PROXIES.find(({ name }) => name === 'nginx')

describe('what only 401 and 403 can carry', { skip: nginx?.missing ?? false }, () => {
  it('reaches the client of the real nginx as what was meant', async (t) => {
    const answers: readonly (readonly [Readonly<Record<string, string>>, number, number])[] = [
      [{ 'Postern-Status': '429', 'Retry-After': '7' }, 403, 429],
      [{ 'Postern-Status': '503' }, 403, 503],
      [{ 'Postern-Status': '403' }, 403, 403],
      [{ 'Postern-Status': '401', 'WWW-Authenticate': 'Bearer realm="postern"' }, 401, 401],
      [{ 'Postern-Status': '302', 'Postern-Redirect': 'http://a.example/' }, 401, 302],
    ]
    let next = 0
    const gateway = createServer((_request, response) => {
      const [headers, status] = answers[next++] as (typeof answers)[number]
      response.writeHead(status, headers).end()
    })
    t.after(() => {
      gateway.closeAllConnections()
      gateway.close()
    })
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
    const upstream = await startUpstream()
    const listen = await freePort()
    const running = await nginx?.start({
      listen,
      host: HOST,
      postern: (gateway.address() as AddressInfo).port,
      upstream: upstream.port,
      secret: SECRET,
      cookie: 'c',
    })
    t.after(async () => {
      await running?.stop()
      await upstream.close()
    })
    for (const [headers, , meant] of answers) {
      const answer = await ask(listen, '/', [['Host', HOST]])
      assert.equal(answer.status, meant)
      if (meant === 302) assert.equal(answer.headers.location, headers['Postern-Redirect'])
      if (meant === 401) assert.equal(answer.headers['www-authenticate'], headers['WWW-Authenticate'])
      if (meant === 429) assert.equal(answer.headers['retry-after'], '7')
    }
    assert.equal(upstream.seen(), 0)
  })
})
