/** What must be refused, by the right error, and noted in the activity log. What has a test of its own is not repeated. */
import assert from 'node:assert/strict'
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { after, before, it } from 'node:test'
import { SignJWT } from 'jose'
import { onBothDatabases } from '../../test/databases.ts'
import {
  API,
  basic,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'
import { configFor, newUser, signInAs } from '../../test/sign-in-as.ts'

const CALLBACK = 'https://app.example.test/callback'

onBothDatabases('bad input', (fresh) => {
  let server: OAuthServer
  let service: Json
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    service = await newClient(server, { resources: [{ resource: API }], introspects: [API] })
  })
  after(() => server.close())

  const own = () => basic(service.id, service.client_secret)
  const issue = async (): Promise<string> =>
    (await server.form('/token', { grant_type: 'client_credentials' }, own())).body.access_token
  const verdictOf = async (credential: string): Promise<string> => {
    const verdict = await server.manage('POST', '/v1/verify', { credential, resource: API })
    return verdict.valid ? 'valid' : verdict.code
  }
  const isActive = async (token: string): Promise<boolean> =>
    (await server.form('/introspect', { token }, own())).body.active
  /** The same token with another header, its signature kept or made by `sign`. */
  const withHeader = (token: string, change: Json, sign?: (input: string) => string): string => {
    const [head = '', payload = '', signature = ''] = token.split('.')
    const header = { ...JSON.parse(Buffer.from(head, 'base64url').toString()), ...change }
    const input = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}`
    return `${input}.${sign ? sign(input) : signature}`
  }

  it('none of these is an access token, at verify and at introspection', async () => {
    const token = await issue()
    assert.equal(await verdictOf(token), 'valid')
    const { keys } = (await (await fetch(`${server.issuer}/jwks`)).json()) as Json
    const [head, payload, signature = ''] = token.split('.')
    const hmac = (input: string): string =>
      createHmac('sha256', JSON.stringify(keys[0])).update(input).digest('base64url')
    const table: Record<string, readonly [string, RegExp]> = {
      'alg none': [withHeader(token, { alg: 'none' }, () => ''), /malformed/],
      'alg None': [withHeader(token, { alg: 'None' }), /malformed/],
      'HS256 with the public key': [withHeader(token, { alg: 'HS256' }, hmac), /malformed/],
      'RS256 of an ES256 key': [withHeader(token, { alg: 'RS256' }), /malformed/],
      'its own jwk': [withHeader(token, { jwk: keys[0] }), /malformed/],
      jku: [withHeader(token, { jku: 'https://evil.example/jwks' }), /malformed/],
      x5u: [withHeader(token, { x5u: 'https://evil.example/x' }), /malformed/],
      x5c: [withHeader(token, { x5c: ['MIIB'] }), /malformed/],
      crit: [withHeader(token, { crit: ['exp'] }), /malformed/],
      'kid as a path': [withHeader(token, { kid: '../../../etc/passwd' }), /unknown/],
      'kid as SQL': [withHeader(token, { kid: "' OR 1=1 --" }), /unknown/],
      'kid as a list': [withHeader(token, { kid: [keys[0].kid] }), /malformed/],
      'no kid': [withHeader(token, { kid: undefined }), /malformed|unknown/],
      'typ JWT': [withHeader(token, { typ: 'JWT' }), /unsupported|malformed|unknown/],
      'padding in base64url': [`${head}=.${payload}.${signature}`, /malformed|unknown/],
      'the alphabet of base64': [`${head}.${payload}.${signature.slice(0, -2)}+/`, /malformed|unknown/],
      'bits beyond the last byte': [`${head}.${payload}.${looser(signature)}`, /malformed|unknown/],
      'a line break': [`${head}.${payload}\n.${signature}`, /malformed|unknown/],
      'four parts': [`${token}.x`, /malformed|unknown/],
      'another signature': [`${head}.${payload}.${'A'.repeat(signature.length)}`, /unknown/],
    }
    for (const [what, [bad, code]] of Object.entries(table)) {
      assert.notEqual(bad, token, what)
      assert.match(await verdictOf(bad), code, what)
      assert.equal(await isActive(bad), false, what)
    }
    assert.equal(await verdictOf(token), 'valid')
  })

  it('an ID token is no access token, and an access token no hint of one', async () => {
    const web = await newClient(server, {
      kind: 'web',
      redirect_uris: [CALLBACK],
      resources: [{ resource: API }],
    })
    await newUser(server, 'ada', web.tenant)
    const { tokens, browser } = await signInAs(server, await configFor(server, web), 'ada', CALLBACK)
    assert.equal(await verdictOf(String(tokens.id_token)), 'unsupported')
    assert.equal(await isActive(String(tokens.id_token)), false)
    assert.match(await verdictOf(String(tokens.refresh_token)), /unknown|malformed/)
    const exchanged = await server.form(
      '/token',
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: String(tokens.id_token),
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      },
      basic(
        ...(await newClient(server, {
          grant_types: ['urn:ietf:params:oauth:grant-type:token-exchange'],
          resources: [{ resource: API }],
        }).then(({ id, client_secret }): [string, string] => [id, client_secret])),
      ),
    )
    assert.deepEqual([exchanged.status, exchanged.body.error], [400, 'invalid_grant'])
    const hinted = await browser.visit(`/session/end?id_token_hint=${tokens.access_token}`)
    assert.equal(hinted.status, 400)
  })

  it('a DPoP proof of another kind, for another place, of another time, or with a private key', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = publicKey.export({ format: 'jwk' })
    const now = Math.floor(Date.now() / 1000)
    const proof = (claims: Json = {}, header: Json = {}): Promise<string> =>
      new SignJWT({
        htm: 'POST',
        htu: `${server.issuer}/token`,
        jti: randomBytes(9).toString('base64url'),
        iat: now,
        ...claims,
      })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk, ...header })
        .sign(privateKey)
    const ask = async (dpop: string) =>
      server.form('/token', { grant_type: 'client_credentials' }, { ...own(), dpop })
    const good = await proof()
    assert.equal((await ask(good)).status, 200)
    assert.equal((await ask(good)).status, 400, 'a replay')
    for (const [what, bad] of Object.entries({
      'another type': await proof({}, { typ: 'JWT' }),
      'another method': await proof({ htm: 'GET' }),
      'another place': await proof({ htu: 'https://evil.example/token' }),
      'an old one': await proof({ iat: now - 3_600 }),
      'a future one': await proof({ iat: now + 3_600 }),
      'without a name': await proof({ jti: undefined }),
      'with a private key': await proof({}, { jwk: privateKey.export({ format: 'jwk' }) }),
      'without a key': await proof({}, { jwk: undefined }),
      'another algorithm': withHeader(await proof(), { alg: 'HS256' }),
      nonsense: 'x.y.z',
      'two of them': `${await proof()}, ${await proof()}`,
    })) {
      const { status, body } = await ask(bad)
      assert.equal(status, 400, what)
      assert.match(body.error, /invalid_dpop_proof|use_dpop_nonce/, what)
    }
  })

  it('a spoofed Host changes nothing that anybody is told', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    request(`${server.address}/.well-known/openid-configuration`, {
      headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' },
    })
      .on('response', async (answer) => {
        const chunks: Buffer[] = []
        for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk)
        resolve(Buffer.concat(chunks).toString())
      })
      .on('error', reject)
      .end()
    const text = await promise
    assert.ok(!text.includes('evil.example'))
    assert.equal(JSON.parse(text).issuer, server.issuer)
  })

  it('requests that mean two things, or too much', async () => {
    const token = await issue()
    const twice = (name: string, one: string, other: string) =>
      new URLSearchParams([
        ['grant_type', 'client_credentials'],
        [name, one],
        [name, other],
      ])
    const table: Record<string, () => Promise<{ status: number; body: Json }>> = {
      'grant_type twice': () =>
        server.form('/token', twice('grant_type', 'client_credentials', 'refresh_token'), own()),
      'client_id twice': () => server.form('/token', twice('client_id', service.id, 'cli_x'), own()),
      'another client_id in the body': () =>
        server.form('/token', { grant_type: 'client_credentials', client_id: 'cli_x' }, own()),
      'token twice': () => server.form('/introspect', twice('token', token, 'x'), own()),
      'a megabyte of scope': () =>
        server.form('/token', { grant_type: 'client_credentials', scope: 'x '.repeat(500_000) }, own()),
      'characters that no scope has': () =>
        server.form('/token', { grant_type: 'client_credentials', scope: 'orders:read "x"' }, own()),
      'Basic without a colon': () =>
        server.form('/token', { grant_type: 'client_credentials' }, { authorization: 'Basic eA==' }),
      'Basic in another alphabet': () =>
        server.form('/token', { grant_type: 'client_credentials' }, { authorization: 'Basic ***' }),
    }
    for (const [what, send] of Object.entries(table)) {
      const { status, body } = await send()
      assert.equal(status, 400, `${what}: ${JSON.stringify(body)}`)
      assert.match(body.error, /invalid_request|invalid_scope/, what)
    }
    for (const method of ['GET', 'PUT', 'DELETE'])
      assert.ok([404, 405].includes((await fetch(`${server.address}/token`, { method })).status), method)
  })

  it('all of it is in the activity log, by code, route and client', async () => {
    const noted = async (): Promise<Set<string>> =>
      new Set(
        (await server.manage('GET', '/v1/activity?limit=100')).data.map(
          (row: Json) => `${row.kind} ${row.code} ${row.route}`,
        ),
      )
    const wanted = [
      'oauth_refused invalid_request /token',
      'oauth_refused invalid_scope /token',
      'oauth_refused invalid_grant /token',
      'oauth_refused invalid_dpop_proof /token',
      'oauth_refused invalid_request /introspect',
    ]
    let seen = new Set<string>()
    for (let round = 0; round < 50 && !wanted.every((one) => seen.has(one)); round++) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      seen = await noted()
    }
    for (const one of wanted) assert.ok(seen.has(one), `${one} of ${[...seen].join(', ')}`)
    assert.ok([...seen].some((one) => /malformed/.test(one)))
  })
})

/** The same bytes for a reader that is not strict: the last character has bits to spare. */
function looser(segment: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(segment.at(-1) as string)
  return segment.slice(0, -1) + alphabet[last ^ 1]
}
