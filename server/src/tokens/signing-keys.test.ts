import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import { PosternError } from '../kernel/index.ts'
import {
  ensureSigningKey,
  revokeSigningKey,
  rotateSigningKey,
  tendSigningKeys,
} from './change-signing-keys.ts'
import { thumbprint } from './generate-key.ts'
import { mintAccessToken } from './mint-access-token.ts'
import { findPresentedToken } from './find-presented-token.ts'
import { selectAllKeys, selectSealed } from './signing-key-store.ts'
import { SigningKeys } from './signing-keys.ts'
import { claimsFor } from '../../test/tokens/forge.ts'
import { ISSUER, startNode, SYSTEM, TestClock, type TestNode, until } from '../../test/tokens/node.ts'

const DAY_MS = 86_400_000
const AHEAD_MS = 900_000

onBothDatabases('signing keys', (fresh) => {
  let node: TestNode
  let other: TestNode
  const clock = new TestClock()
  before(async () => {
    const database = await fresh()
    node = await startNode(database, { clock })
    other = await startNode(database, { clock })
  })
  after(() => Promise.all([node.close(), other.close()]))

  const states = async (): Promise<string[]> =>
    (await selectAllKeys(node.storage, 50)).map((key) => `${key.algorithm} ${key.state}`)

  it('has one ES256 key from the start, however many nodes start, and names it by its thumbprint', async () => {
    assert.deepEqual(await states(), ['ES256 active'])
    const [jwk] = node.signingKeys.publicJwks().keys
    assert.equal(jwk?.kid, thumbprint(jwk as unknown as Record<string, string>))
    assert.equal(jwk?.kid, other.signingKeys.active('ES256').kid)
  })

  it('names the key of RFC 7638 as RFC 7638 does', () => {
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw'
    assert.equal(
      thumbprint({ kty: 'RSA', n, e: 'AQAB', alg: 'RS256', kid: '2011-04-29' }),
      'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs',
    )
  })

  it('publishes public members alone, and hands out private ones with the active key first', () => {
    assert.doesNotMatch(node.signingKeys.jwks().body, /"d"/)
    const [first] = node.signingKeys.privateJwks()
    assert.equal(first?.['kid'], node.signingKeys.active('ES256').kid)
    assert.equal(typeof first?.['d'], 'string')
  })

  it('seals private keys: they open under the root secret alone, and for their own kid alone', async () => {
    const [stored] = await node.storage.write((tx) => selectSealed(tx))
    assert.ok(stored)
    assert.ok(node.keyPorts.sealer.open(stored.kid, stored.sealed).length > 100)
    assert.throws(() => node.keyPorts.sealer.open('another kid', stored.sealed), /cannot be opened/)
    const wrong = new SigningKeys(node.storage, 'another root secret of the same length', clock)
    await assert.rejects(wrong.load(), /another root secret/)
  })

  it('makes an RS256 key of 2048 bits when it is first asked for, and not before', async () => {
    assert.throws(() => node.signingKeys.active('RS256'), /no active RS256/)
    await ensureSigningKey(node.keyPorts, 'RS256')
    assert.equal(await ensureSigningKey(node.keyPorts, 'RS256'), 0)
    await node.signingKeys.refresh()
    const { privateKey } = node.signingKeys.active('RS256')
    assert.equal(privateKey.asymmetricKeyDetails?.modulusLength, 2048)
  })

  it('makes an Ed25519 key once a resource asks for it', async () => {
    await node.addResource('https://ed.example.com', { tokenAlgorithm: 'EdDSA' })
    await node.tend()
    assert.equal(node.signingKeys.active('EdDSA').privateKey.asymmetricKeyType, 'ed25519')
  })

  it('refuses HS256 with the reason and the way off it', async () => {
    await assert.rejects(rotateSigningKey(node.keyPorts, SYSTEM, 'HS256'), (error: PosternError) => {
      assert.equal(error.code, 'invalid_request')
      assert.match(error.message, /can also make one.*docs\/leaving-hs256\.md/)
      return true
    })
  })

  it('publishes the next key before it signs, for as long as caches of the JWKS live', async () => {
    const before = node.signingKeys.active('ES256').kid
    const next = await rotateSigningKey(node.keyPorts, SYSTEM)
    assert.equal(next.state, 'next')
    await node.signingKeys.refresh()
    assert.match(node.signingKeys.jwks().body, new RegExp(next.kid))
    clock.advance(AHEAD_MS - 5_000)
    await node.tend()
    assert.equal(node.signingKeys.active('ES256').kid, before)
    clock.advance(5_000)
    await node.tend()
    assert.equal(node.signingKeys.active('ES256').kid, next.kid)
    assert.match(node.signingKeys.jwks().body, new RegExp(before), 'the one before still verifies')
  })

  it('does not rotate twice when the command is given twice', async () => {
    const [one, two] = [
      await rotateSigningKey(node.keyPorts, SYSTEM),
      await rotateSigningKey(node.keyPorts, SYSTEM),
    ]
    assert.equal(one.kid, two.kid)
    assert.equal(one.activatesAtMs, two.activatesAtMs)
    clock.advance(AHEAD_MS)
    await node.tend()
  })

  it('tells the other node through the feed', async () => {
    const next = await rotateSigningKey(node.keyPorts, SYSTEM)
    await until(() => other.signingKeys.verificationKey(next.kid) !== undefined)
    await node.signingKeys.refresh()
    assert.equal(other.signingKeys.jwks().body, node.signingKeys.jwks().body)
    clock.advance(AHEAD_MS)
    await node.tend()
  })

  it('erases a retired key once the last token that it signed has expired, and not earlier', async () => {
    const retiring = (await selectAllKeys(node.storage, 50)).filter((key) => key.state === 'retiring')
    assert.ok(retiring.length > 0)
    const last = Math.max(...retiring.map((key) => key.endsAtMs as number))
    // The resource's 15 minutes, and the margin.
    assert.ok(last >= clock.nowMs() + 900_000 + 110_000, 'kept for the longest token lifetime')
    clock.advance(last - clock.nowMs() - 2_000)
    await node.tend()
    assert.ok((await states()).includes('ES256 retiring'))
    clock.advance(2_100)
    await node.tend()
    assert.ok(!(await states()).includes('ES256 retiring'))
    const sealed = await node.storage.write((tx) => selectSealed(tx))
    const living = (await selectAllKeys(node.storage, 50)).filter(({ state }) => state === 'active')
    assert.deepEqual(sealed.map(({ kid }) => kid).sort(), living.map(({ kid }) => kid).sort())
  })

  it('rotates by schedule, once, when two nodes tick at the same moment', async () => {
    clock.advance(90 * DAY_MS - AHEAD_MS)
    const count = async (state: string): Promise<number> =>
      (await states()).filter((text) => text === `ES256 ${state}`).length
    await Promise.all([node, other, node, other].map((each) => tendSigningKeys(each.keyPorts)))
    assert.equal(await count('next'), 1)
    clock.advance(AHEAD_MS)
    const gone = await count('gone')
    await Promise.all([node, other, node, other].map((each) => tendSigningKeys(each.keyPorts)))
    assert.deepEqual([await count('active'), await count('next'), await count('retiring')], [1, 0, 1])
    assert.equal(await count('gone'), gone)
  })

  it('ends a revoked key at once on both nodes and signs with another one at once', async () => {
    const resource = await node.addResource('https://revoke.example.com')
    const tenant = await node.addTenant('revoked')
    await Promise.all([node.signingKeys.refresh(), other.signingKeys.refresh()])
    const { kid } = node.signingKeys.active('ES256')
    const mint = (): string =>
      mintAccessToken(
        node.signingKeys,
        'ES256',
        claimsFor(clock.nowMs(), {
          iss: ISSUER,
          aud: resource.uri,
          tenant: tenant.id,
          rsn: node.feed.position,
        }),
      )
    const token = mint()
    assert.ok('principal' in (await findPresentedToken(other.tokenPorts, token)))
    const [before, ref] = [node.feed.position, `signing_key:${kid}`]
    assert.equal(node.feed.touchedSince(before, [ref]), false)
    const revoked = await revokeSigningKey(node.keyPorts, SYSTEM, kid, 'stolen')
    assert.equal(node.feed.touchedSince(before, [ref]), true, 'whoever holds a token of it asks again')
    assert.equal(revoked.state, 'revoked')
    for (const each of [node, other]) {
      const answer = await findPresentedToken(each.tokenPorts, token)
      assert.ok(!('principal' in answer))
      assert.ok(['revoked', 'unknown'].includes(answer.code), answer.code)
    }
    await node.signingKeys.refresh()
    assert.notEqual(node.signingKeys.active('ES256').kid, kid)
    assert.doesNotMatch(node.signingKeys.jwks().body, new RegExp(kid))
    assert.ok(
      'principal' in (await findPresentedToken(other.tokenPorts, mint())),
      'the new key is known there',
    )
    assert.equal((await revokeSigningKey(node.keyPorts, SYSTEM, kid)).revokedReason, 'stolen')
    const sealed = await node.storage.write((tx) => selectSealed(tx))
    assert.ok(!sealed.some((row) => row.kid === kid), 'the private part is erased')
  })

  it('reads the keys once a cooldown for kids that nobody has', async () => {
    clock.advance(2_000)
    assert.equal(await node.signingKeys.refreshForUnknown(), true)
    assert.equal(await node.signingKeys.refreshForUnknown(), false)
    clock.advance(1_001)
    assert.equal(await node.signingKeys.refreshForUnknown(), true)
  })

  it('refuses operators of one tenant', async () => {
    const confined = { ...SYSTEM, tenant: 'ten_0000000000000000000001' }
    await assert.rejects(rotateSigningKey(node.keyPorts, confined), { code: 'forbidden' })
    const { kid } = node.signingKeys.active('ES256')
    await assert.rejects(revokeSigningKey(node.keyPorts, confined, kid), { code: 'forbidden' })
    await assert.rejects(revokeSigningKey(node.keyPorts, SYSTEM, 'nobody'), { code: 'not_found' })
  })

  it('refuses no valid token while keys rotate under load', async () => {
    const resource = await node.addResource('https://load.example.com')
    const tenant = await node.addTenant('load')
    const kids = new Set<string>()
    let checked = 0
    const ending = new AbortController()
    const load = async (from: TestNode, at: TestNode): Promise<void> => {
      while (!ending.signal.aborted) {
        const rsn = from.feed.position
        const token = mintAccessToken(
          from.signingKeys,
          'ES256',
          claimsFor(clock.nowMs(), { iss: ISSUER, aud: resource.uri, tenant: tenant.id, rsn }),
        )
        kids.add(from.signingKeys.active('ES256').kid)
        const answer = await findPresentedToken(at.tokenPorts, token)
        assert.ok('principal' in answer && !answer.revoked, `refused: ${JSON.stringify(answer)}`)
        checked++
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const running = Promise.all([load(node, other), load(other, node), load(node, node)])
    running.catch(() => ending.abort())
    for (let round = 0; round < 4; round++) {
      await rotateSigningKey(node.keyPorts, SYSTEM)
      await new Promise((resolve) => setTimeout(resolve, 60))
      clock.advance(AHEAD_MS)
      await Promise.all([tendSigningKeys(node.keyPorts), tendSigningKeys(other.keyPorts)])
      await new Promise((resolve) => setTimeout(resolve, 400))
    }
    ending.abort()
    await running
    assert.ok(kids.size >= 4, `rotated ${kids.size} times`)
    assert.ok(checked > 100, `only ${checked} tokens`)
  })
})
