import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, it } from 'node:test'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as openid from 'openid-client'
import { onBothDatabases } from '../../test/databases.ts'
import {
  API,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'
import { configFor, newUser, signInAs } from '../../test/sign-in-as.ts'

const CALLBACK = 'https://app.example.test/callback'
const BYE = 'https://app.example.test/bye'

onBothDatabases('logout', (fresh) => {
  let server: OAuthServer
  /** An application that is told: it fails the first time. */
  const calls: { body: string; type: string | undefined }[] = []
  const receiver = createServer(async (request, response) => {
    calls.push({ body: await textOf(request), type: request.headers['content-type'] })
    response.writeHead(calls.length === 1 ? 503 : 200).end()
  })
  let client: Json
  before(async () => {
    receiver.listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    server = await openOAuthServer(await fresh())
    await newResource(server)
    client = await newClient(server, {
      kind: 'web',
      redirect_uris: [CALLBACK],
      post_logout_redirect_uris: [BYE],
      resources: [{ resource: API }],
      backchannel_logout_uri: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/logged-out`,
    })
    await newUser(server, 'ada', client.tenant)
  })
  after(async () => {
    receiver.close()
    await server.close()
  })

  it('by openid-client: asks, ends what was given, goes back, and tells the application until it hears', async () => {
    calls.length = 0
    const config = await configFor(server, client)
    const { browser, tokens } = await signInAs(server, config, 'ada', CALLBACK)
    const url = openid.buildEndSessionUrl(config, {
      post_logout_redirect_uri: BYE,
      id_token_hint: String(tokens.id_token),
      state: 'kept',
    })
    const asked = await browser.visit(url.href)
    assert.match(asked.text, /Sign out\?/)
    const back = new URL((await browser.submit(asked, { logout: 'yes' })).url)
    assert.equal(back.origin + back.pathname, BYE)
    assert.equal(back.searchParams.get('state'), 'kept')
    assert.equal((await openid.tokenIntrospection(config, tokens.access_token)).active, false)

    for (let round = 0; round < 200 && calls.length < 2; round++)
      await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(calls.length, 2, 'it failed once, and was told again')
    for (const { body, type } of calls) {
      assert.match(String(type), /^application\/x-www-form-urlencoded/)
      const token = String(new URLSearchParams(body).get('logout_token'))
      const keys = createRemoteJWKSet(new URL(`${server.issuer}/jwks`))
      const { payload, protectedHeader } = await jwtVerify(token, keys, {
        issuer: server.issuer,
        audience: client.id,
      })
      assert.equal(protectedHeader.typ, 'logout+jwt')
      assert.equal(payload.sub, tokens.claims()?.sub)
      assert.ok('http://schemas.openid.net/event/backchannel-logout' in (payload['events'] as object))
      assert.equal(payload['nonce'], undefined)
    }
    const codes = async (): Promise<string[]> =>
      (await server.manage('GET', '/v1/activity?kind=backchannel_logout&limit=100')).data.map(
        (row: Json) => row.code,
      )
    for (let round = 0; round < 50 && (await codes()).length < 2; round++)
      await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual((await codes()).sort(), ['delivered', 'failed'])
  })

  it('goes to no address that was not registered, and nowhere without being asked', async () => {
    const config = await configFor(server, client)
    const { browser, tokens } = await signInAs(server, config, 'ada', CALLBACK)
    const wrong = openid.buildEndSessionUrl(config, {
      post_logout_redirect_uri: 'https://evil.example/',
      id_token_hint: String(tokens.id_token),
    })
    const page = await browser.visit(wrong.href)
    assert.equal(page.status, 400)
    assert.ok(page.url.startsWith(server.issuer))
    const stays = await browser.submit(
      await browser.visit(openid.buildEndSessionUrl(config, { post_logout_redirect_uri: BYE }).href),
      {},
    )
    assert.equal((await openid.tokenIntrospection(config, tokens.access_token)).active, true, stays.url)
  })
})

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
