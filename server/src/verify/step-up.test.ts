/** What is asked of the sign-in behind a credential (RFC 9470). */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  issueKey,
  type Json,
  newResource,
  type Node,
  openNode,
  verdict,
  verify,
} from '../../test/deployment.ts'
import { type MintToken, ownTokens } from '../../test/tokens/own-tokens.ts'

const ONE = 'urn:postern:acr:pwd'
const TWO = 'urn:postern:acr:mfa'

onBothDatabases('step-up', (fresh) => {
  let node: Node
  let api: Json
  let mint: MintToken
  before(async () => {
    node = await openNode(await fresh())
    api = await newResource(node)
    mint = await ownTokens(node, api)
  })
  after(() => node.close())

  const nowSeconds = (): number => Math.floor(node.clock.nowMs() / 1000)
  const insufficient = 'insufficient_authentication'

  it('tells when the user signed in, where that is known', async () => {
    const known = await verify(node, mint({ auth_time: nowSeconds() - 90 }))
    assert.equal(known.principal.auth_time, node.clock.at(-90_000))
    assert.equal('auth_time' in (await verify(node, mint())).principal, false)
  })

  it('takes any of the classes that were asked for, and none when none was', async () => {
    const token = mint({ acr: ONE })
    for (const [acr_values, expected] of [
      [undefined, 'valid'],
      [[], 'valid'],
      [[ONE], 'valid'],
      [[TWO, ONE], 'valid'],
      [[TWO], insufficient],
      [[`${ONE}0`, ONE.toUpperCase()], insufficient],
    ] as const)
      assert.equal(await verdict(node, token, { acr_values }), expected, String(acr_values))
    assert.equal(await verdict(node, mint(), { acr_values: [ONE] }), insufficient)
    assert.equal(await verdict(node, mint({ acr: 'phr' }), { acr_values: [TWO] }), 'valid', 'stronger')
  })

  it('counts the age from the sign-in and not from the token, on every use of a cached one', async () => {
    const token = mint({ auth_time: nowSeconds() - 290 })
    assert.equal(await verdict(node, token, { max_age: 300 }), 'valid')
    assert.equal(await verdict(node, token, { max_age: 289 }), insufficient)
    node.clock.advance(10_000)
    assert.equal(await verdict(node, token, { max_age: 300 }), 'valid')
    node.clock.advance(1_000)
    assert.equal(await verdict(node, token, { max_age: 300 }), insufficient)
    assert.equal(await verdict(node, token), 'valid')
  })

  it('knows no age of a sign-in that is not told, nor of one from the future', async () => {
    for (const [claims, expected] of [
      [{}, insufficient],
      [{ auth_time: nowSeconds() + 60 }, 'valid'],
      [{ auth_time: nowSeconds() + 61 }, insufficient],
      [{ auth_time: nowSeconds() }, 'valid'],
    ] as const)
      assert.equal(await verdict(node, mint(claims), { max_age: 0 }), expected, JSON.stringify(claims))
  })

  it('is met by no key: nobody signed in', async () => {
    const { key } = await issueKey(node, api)
    assert.equal(await verdict(node, key, { acr_values: [ONE] }), insufficient)
    assert.equal(await verdict(node, key, { max_age: 86_400 }), insufficient)
    assert.equal(await verdict(node, key, { acr_values: [] }), 'valid')
  })

  it('says what was asked, for the challenge, and comes after the scopes', async () => {
    const token = mint({ acr: ONE, auth_time: nowSeconds() - 100 })
    const both = await verify(node, token, { acr_values: [TWO], max_age: 10 })
    assert.deepEqual([both.code, both.acr_values, both.max_age], [insufficient, [TWO], 10])
    const one = await verify(node, token, { max_age: 10 })
    assert.deepEqual([one.max_age, 'acr_values' in one], [10, false])
    const scopes = await verify(node, token, { scopes: ['orders:write'], max_age: 10 })
    assert.deepEqual([scopes.code, 'max_age' in scopes], ['insufficient_scope', false])
  })

  it('refuses a faulty question', async () => {
    for (const [member, value] of [
      ['max_age', -1],
      ['max_age', 1.5],
      ['max_age', '10'],
      ['acr_values', ONE],
      ['acr_values', ['two words']],
      ['acr_values', ['a"b']],
      ['acr_values', Array.from({ length: 21 }, () => ONE)],
    ] as const) {
      const answer = await node.request('POST', '/v1/verify', { body: { credential: 'x', [member]: value } })
      assert.equal(answer.status, 400, `${member}: ${JSON.stringify(value)}`)
    }
  })
})
