/** The back channel's receiver: what ends a session in a store, and all that only looks like it. */
import assert from 'node:assert/strict'
import { exportJWK, generateKeyPair, type GenerateKeyPairResult, SignJWT, UnsecuredJWT } from 'jose'
import { after, before, describe, test } from 'node:test'
import { memoryStore } from '../src/web/index.ts'
import { openWebApp, Visitor, type WebApp } from './support/web-app.ts'

const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} }

describe('the receiver of back-channel logout', () => {
  let app: WebApp
  let keys: GenerateKeyPairResult
  let strange: GenerateKeyPairResult
  /** Who is signed in, and the session as Postern's logout tokens name it. */
  let sub: string
  let sid: string
  const memory = memoryStore()
  before(async () => {
    keys = await generateKeyPair('ES256')
    strange = await generateKeyPair('ES256')
    const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k', alg: 'ES256', use: 'sig' }] }
    // Postern's keys are its own: for logout tokens of the test's making, the test's stand in for them.
    const answering: typeof fetch = (input, init) =>
      String(input instanceof Request ? input.url : input).endsWith('/jwks')
        ? Promise.resolve(Response.json(jwks))
        : fetch(input, init)
    const store: typeof memory = {
      ...memory,
      write: (key, session) => {
        sid = String(session.sid)
        sub = session.sub
        return memory.write(key, session)
      },
    }
    app = await openWebApp('express', { store, fetch: answering })
  })
  after(() => app.close())

  const signedIn = async (): Promise<Visitor> => {
    const visitor = new Visitor(app)
    await visitor.signIn()
    return visitor
  }
  const claims = (): Record<string, unknown> => ({
    iss: app.server.issuer,
    aud: app.client.id,
    iat: Math.floor(Date.now() / 1000),
    exp: Math.floor(Date.now() / 1000) + 120,
    jti: crypto.randomUUID(),
    events: EVENTS,
    sub,
    sid,
  })
  const sign = (
    payload: Record<string, unknown>,
    header: Record<string, string> = {},
    key = keys.privateKey,
  ): Promise<string> =>
    new SignJWT(payload)
      .setProtectedHeader({ alg: 'ES256', kid: 'k', typ: 'logout+jwt', ...header })
      .sign(key)
  const tell = async (token: string): Promise<number> =>
    (
      await fetch(`${app.origin}/auth/backchannel-logout`, {
        method: 'POST',
        body: new URLSearchParams({ logout_token: token }),
      })
    ).status
  const without = (name: string): Record<string, unknown> => {
    const { [name]: _, ...rest } = claims()
    return rest
  }

  test('refuses every token that is none, and the session goes on', async () => {
    const visitor = await signedIn()
    const bad: Readonly<Record<string, () => string | Promise<string>>> = {
      'no JWT': () => 'x',
      'for another client': () => sign({ ...claims(), aud: 'cli_other' }),
      'of another issuer': () => sign({ ...claims(), iss: 'https://evil.example' }),
      'without a type': () => sign(claims(), { typ: 'JWT' }),
      'an access token': () => sign(claims(), { typ: 'at+jwt' }),
      'with a nonce': () => sign({ ...claims(), nonce: 'x' }),
      'without events': () => sign(without('events')),
      'of another event': () => sign({ ...claims(), events: { 'urn:other': {} } }),
      'with events that are no object': () => sign({ ...claims(), events: Object.keys(EVENTS).join() }),
      'without iat': () => sign(without('iat')),
      'without jti': () => sign(without('jti')),
      ended: () => sign({ ...claims(), exp: Math.floor(Date.now() / 1000) - 60 }),
      old: () => sign({ ...claims(), iat: Math.floor(Date.now() / 1000) - 3600 }),
      'of nobody': () => sign({ ...claims(), sub: undefined, sid: undefined }),
      'by another key': () => sign(claims(), {}, strange.privateKey),
      unsigned: () => new UnsecuredJWT(claims()).encode(),
      'signed with the client secret': () =>
        new SignJWT(claims())
          .setProtectedHeader({ alg: 'HS256', kid: 'k', typ: 'logout+jwt' })
          .sign(new TextEncoder().encode(app.client.client_secret.padEnd(32))),
    }
    for (const [what, token] of Object.entries(bad)) assert.equal(await tell(await token()), 400, what)
    const twice = new URLSearchParams([
      ['logout_token', await sign(claims())],
      ['logout_token', await sign(claims())],
    ])
    const answer = await fetch(`${app.origin}/auth/backchannel-logout`, { method: 'POST', body: twice })
    assert.equal(answer.status, 400)
    assert.equal((await visitor.call('/orders')).status, 200)
  })

  test('ends the session that is named, alone, and again without harm', async () => {
    const other = await signedIn()
    const visitor = await signedIn()
    const token = await sign(claims())
    assert.equal(await tell(token), 200)
    assert.equal((await visitor.call('/orders')).json.code, 'missing')
    assert.equal((await other.call('/orders')).status, 200)
    assert.equal(await tell(token), 200)
  })

  test('ends all sessions of a user when none is named', async () => {
    const visitor = await signedIn()
    await visitor.signIn('?prompt=login')
    const { sid: _, ...ofUser } = claims()
    assert.equal(await tell(await sign(ofUser)), 200)
    assert.equal((await visitor.call('/orders')).json.code, 'missing')
  })

  test('a session of one user is not ended by the name of another', async () => {
    const visitor = await signedIn()
    assert.equal(await tell(await sign({ ...claims(), sub: 'usr_other' })), 200)
    assert.equal((await visitor.call('/orders')).status, 200)
  })
})
