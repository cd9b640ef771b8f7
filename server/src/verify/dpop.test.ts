/** Tokens that are bound to a key (RFC 9449): every proof that is wrong, and those that are right. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
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
import { type DpopHolder, dpopHolder, proofClaims } from '../../test/tokens/dpop.ts'
import { base64url, forge, type Loose } from '../../test/tokens/forge.ts'
import { type MintToken, ownTokens } from '../../test/tokens/own-tokens.ts'
import { systemCaller } from '../kernel/index.ts'
import { JWS_ALGORITHMS } from '../tokens/jws-signature.ts'
import { SeenProofs } from './seen-proofs.ts'

const URL_CALLED = 'https://api.example.com/orders'

onBothDatabases('DPoP at /v1/verify', (fresh) => {
  let node: Node
  let api: Json
  let mint: MintToken
  let holder: DpopHolder
  let token: string
  before(async () => {
    node = await openNode(await fresh())
    api = await newResource(node)
    mint = await ownTokens(node, api)
    holder = dpopHolder()
    token = mint({ cnf: { jkt: holder.jkt } })
  })
  after(() => node.close())

  const sound = (more: Loose = {}): Loose =>
    proofClaims(token, node.clock.nowMs(), { htm: 'GET', htu: URL_CALLED, ...more })
  const asked = (dpop: string, more: Loose = {}) => ({ method: 'GET', url: URL_CALLED, dpop, ...more })
  const ask = (dpop: string, more: Loose = {}) => verdict(node, token, asked(dpop, more))

  it('takes a bound token with its proof, and says what it is bound to', async () => {
    const answer = await verify(node, token, asked(holder.prove(sound())))
    assert.equal(answer.valid, true)
    assert.deepEqual(answer.principal.cnf, { jkt: holder.jkt })
    assert.deepEqual(answer.constraints.cnf, { jkt: holder.jkt })
    assert.ok(answer.refs.includes(`proof_key:${holder.jkt}`))
  })

  it('takes it with no other, and not without', async () => {
    assert.equal(await verdict(node, token), 'proof_required')
    assert.equal(await verdict(node, token, { method: 'GET', url: URL_CALLED }), 'proof_required')
    assert.equal(await ask(holder.prove(sound())), 'valid')
    assert.equal(await ask(''), 'proof_invalid')
    // Also now that the token is cached.
    assert.equal(await verdict(node, token), 'proof_required')
  })

  for (const alg of JWS_ALGORITHMS)
    it(`takes proofs by ${alg}`, async () => {
      const own = dpopHolder(alg)
      const bound = mint({ cnf: { jkt: own.jkt } })
      const claims = proofClaims(bound, node.clock.nowMs(), { htm: 'GET', htu: URL_CALLED })
      assert.equal(await verdict(node, bound, asked(own.prove(claims))), 'valid')
      const names = {
        alg: alg === 'EdDSA' ? 'Ed25519' : alg,
        jwk: { ...own.publicJwk, use: 'sig', kid: 'one' },
      }
      assert.equal(await verdict(node, bound, asked(own.prove({ ...claims, jti: 'x' }, names))), 'valid')
    })

  it('names in its challenge the algorithms that it takes, and no other', async () => {
    const headers = { authorization: `DPoP ${token}` }
    const { headers: answered } = await node.request('GET', '/v1/whoami', { key: null, headers })
    const named = / algs="([^"]+)"/.exec(String(answered['www-authenticate']))?.[1]?.split(' ')
    assert.deepEqual(named?.sort(), [...JWS_ALGORITHMS, 'Ed25519'].sort())
  })

  describe('takes what names the same method and target', () => {
    const same: Readonly<Record<string, readonly [htu: string, url: string]>> = {
      'a query and a fragment do not count': [URL_CALLED, `${URL_CALLED}?page=2&q=a|b"c#part`],
      'nor in the proof': [`${URL_CALLED}?page=3#x`, URL_CALLED],
      'scheme and host in capitals': ['HTTPS://API.Example.COM/orders', URL_CALLED],
      'the scheme’s own port': ['https://api.example.com:443/orders', URL_CALLED],
      'an empty path': ['https://api.example.com', 'https://api.example.com/'],
      'dots that lead nowhere': ['https://api.example.com/a/../orders/./', `${URL_CALLED}/`],
      'escapes of what needs none': ['https://api.example.com/%6Frders%7E', `${URL_CALLED}~`],
      'escapes in small letters': [`${URL_CALLED}/a%2fb`, `${URL_CALLED}/a%2Fb`],
      'another port, where both say it': ['http://127.0.0.1:8080/orders', 'http://127.0.0.1:8080/orders'],
    }
    for (const [name, [htu, url]] of Object.entries(same))
      it(name, async () => assert.equal(await ask(holder.prove(sound({ htu })), { url }), 'valid'))
  })

  describe('refuses a proof', () => {
    const wrongClaims: Readonly<Record<string, Loose | (() => Loose)>> = {
      'for another method': { htm: 'POST' },
      'for a method in other letters': { htm: 'get' },
      'for no method': { htm: undefined },
      'for another path': { htu: 'https://api.example.com/orders/' },
      'for a path in other letters': { htu: 'https://api.example.com/Orders' },
      'for another host': { htu: 'https://api.example.com.evil.test/orders' },
      'for another port': { htu: 'https://api.example.com:8443/orders' },
      'for another scheme': { htu: 'http://api.example.com/orders' },
      'for a host behind a user': { htu: 'https://evil@api.example.com/orders' },
      'for an escaped slash': { htu: 'https://api.example.com%2Forders' },
      'for a target with a backslash': { htu: 'https://api.example.com\\orders' },
      'for a target with a line break': { htu: 'https://api.example.com/ord\ners' },
      'for a path alone': { htu: '/orders' },
      'for a list of targets': { htu: [URL_CALLED] },
      'for no target': { htu: undefined },
      'for another token': { ath: createHash('sha256').update('another').digest('base64url') },
      'for no token': { ath: undefined },
      'with the token’s hash in hex': () => ({ ath: createHash('sha256').update(token).digest('hex') }),
      'from more than a minute ago': () => ({ iat: node.clock.nowMs() / 1000 - 61 }),
      'from more than a minute ahead': () => ({ iat: node.clock.nowMs() / 1000 + 61 }),
      'from no time': { iat: undefined },
      'from a time that is a text': () => ({ iat: String(node.clock.nowMs() / 1000) }),
      'that has ended by itself': () => ({ exp: node.clock.nowMs() / 1000 }),
      'that begins later': () => ({ nbf: node.clock.nowMs() / 1000 + 61 }),
      'with no name': { jti: undefined },
      'with an empty name': { jti: '' },
      'with a number for a name': { jti: 1 },
      'with a name that never ends': { jti: 'x'.repeat(501) },
    }
    for (const [name, spoil] of Object.entries(wrongClaims))
      it(name, async () => {
        const claims = sound(typeof spoil === 'function' ? spoil() : spoil)
        assert.equal(await ask(holder.prove(claims)), 'proof_invalid')
      })

    const wrongHeaders: Readonly<Record<string, (own: DpopHolder) => Loose>> = {
      'of no type': () => ({ typ: undefined }),
      'of a token’s type': () => ({ typ: 'at+jwt' }),
      'of any type': () => ({ typ: 'JWT' }),
      'by none': () => ({ alg: 'none' }),
      'by an algorithm of another curve': () => ({ alg: 'ES384' }),
      'by an algorithm of another kind of key': () => ({ alg: 'RS256' }),
      'by an algorithm that nobody knows': () => ({ alg: 'ES256K' }),
      'by no algorithm': () => ({ alg: undefined }),
      'by a list of algorithms': () => ({ alg: ['ES256'] }),
      'with a key that is for another algorithm': ({ publicJwk }) => ({
        jwk: { ...publicJwk, alg: 'ES384' },
      }),
      'with a key that is for encryption': ({ publicJwk }) => ({ jwk: { ...publicJwk, use: 'enc' } }),
      'with the private key in it': ({ privateKey }) => ({ jwk: privateKey.export({ format: 'jwk' }) }),
      'with a list of keys': ({ publicJwk }) => ({ jwk: [publicJwk] }),
      'with a key that is a text': ({ publicJwk }) => ({ jwk: JSON.stringify(publicJwk) }),
      'with a key of no kind': ({ publicJwk }) => ({ jwk: { ...publicJwk, kty: undefined } }),
      'with a point that is not on the curve': ({ publicJwk }) => ({
        jwk: { ...publicJwk, y: publicJwk['x'] },
      }),
      'with a kid instead of a key': () => ({ jwk: undefined, kid: 'one' }),
      'with a certificate beside the key': () => ({ x5c: ['MIIB'] }),
      'with a certificate instead of a key': () => ({ jwk: undefined, x5c: ['MIIB'] }),
      'with the place of a certificate': () => ({ x5u: 'https://evil.test/cert' }),
      'with the place of a key': () => ({ jku: 'https://evil.test/jwks' }),
      'with an extension to be understood': () => ({ crit: ['exp'] }),
    }
    for (const [name, spoil] of Object.entries(wrongHeaders))
      it(name, async () => {
        assert.equal(await ask(holder.prove(sound(), spoil(holder))), 'proof_invalid')
      })

    it('of another key, under its own name or under that of the right one', async () => {
      const other = dpopHolder()
      assert.equal(await ask(other.prove(sound())), 'proof_invalid')
      assert.equal(await ask(other.prove(sound(), { jwk: holder.publicJwk })), 'proof_invalid')
    })

    it('by an algorithm that is not its key’s, though it was signed so, or by a weak key', async () => {
      const { privateKey, publicJwk } = holder
      const header = { typ: 'dpop+jwt', alg: 'ES384', jwk: publicJwk }
      assert.equal(await ask(forge('ES384', privateKey, header, sound())), 'proof_invalid')
      const weak = dpopHolder('RS256', 1024)
      const bound = mint({ cnf: { jkt: weak.jkt } })
      const claims = proofClaims(bound, node.clock.nowMs(), { htm: 'GET', htu: URL_CALLED })
      assert.equal(await verdict(node, bound, asked(weak.prove(claims))), 'proof_invalid')
    })

    it('by a shared secret, whichever secret is tried', async () => {
      const spki = JSON.stringify(holder.publicJwk)
      for (const jwk of [holder.publicJwk, { kty: 'oct', k: base64url(spki) }]) {
        const input = `${base64url({ typ: 'dpop+jwt', alg: 'HS256', jwk })}.${base64url(sound())}`
        const proof = `${input}.${createHmac('sha256', spki).update(input).digest('base64url')}`
        assert.equal(await ask(proof), 'proof_invalid')
      }
    })

    it('that is not written as it has to be', async () => {
      const good = holder.prove(sound())
      const [head, body, signature] = good.split('.') as [string, string, string]
      const twice = `{"typ":"dpop+jwt","alg":"ES256","alg":"ES256","jwk":${JSON.stringify(holder.publicJwk)}}`
      for (const proof of [
        `${head}.${body}.`,
        `${head}.${body}`,
        `${good}=`,
        `${good}.`,
        ` ${good}`,
        `${good}, ${holder.prove(sound())}`,
        `${good}\0`,
        `${head}.${body}.${signature.slice(0, -4)}AAAA`,
        `${head}.${base64url(sound())}.${signature}`,
        forge('ES256', holder.privateKey, twice, sound()),
        forge('ES256', holder.privateKey, { typ: 'dpop+jwt', alg: 'ES256', jwk: holder.publicJwk }, '[]'),
        holder.prove(sound({ more: 'x'.repeat(8_192) })),
        token,
        'rubbish',
      ])
        assert.equal(await ask(proof), 'proof_invalid', proof.slice(-60))
      assert.equal(await ask(good), 'valid')
    })

    it('that was seen before, also with another method’s name beside it', async () => {
      const proof = holder.prove(sound())
      assert.equal(await ask(proof), 'valid')
      assert.equal(await ask(proof), 'proof_invalid')
      const claims = sound()
      assert.equal(await ask(holder.prove(claims)), 'valid')
      assert.equal(await ask(holder.prove({ ...claims, htm: 'POST' }), { method: 'POST' }), 'proof_invalid')
      // A name is a key's own: another holder may have chosen the same.
      const other = dpopHolder()
      const bound = mint({ cnf: { jkt: other.jkt } })
      const same = proofClaims(bound, node.clock.nowMs(), { ...claims, ath: undefined })
      const ath = createHash('sha256').update(bound).digest('base64url')
      assert.equal(await verdict(node, bound, asked(other.prove({ ...same, ath }))), 'valid')
    })

    it('that was seen before, at every moment at which it would still count', async () => {
      const proof = holder.prove(sound({ iat: node.clock.nowMs() / 1000 + 60 }))
      assert.equal(await ask(proof), 'valid')
      for (let seconds = 0; seconds < 130; seconds += 5) {
        assert.equal(await ask(proof), 'proof_invalid', `after ${seconds} s`)
        node.clock.advance(5_000)
      }
      // It is forgotten with the next one that is accepted.
      assert.equal(await ask(holder.prove(sound())), 'valid')
      node.clock.advance(-130_000)
      assert.equal(await ask(proof), 'proof_invalid', 'the clock was set back')
      node.clock.advance(130_000)
    })

    it('for a URL that is not whole', async () => {
      assert.equal(await ask(holder.prove(sound({ htu: '/orders' })), { url: '/orders' }), 'proof_invalid')
    })
  })

  it('refuses a proof with what is bound to nothing: a token, a key', async () => {
    const { key } = await issueKey(node, api)
    for (const credential of [mint(), key]) {
      const claims = proofClaims(credential, node.clock.nowMs(), { htm: 'GET', htu: URL_CALLED })
      assert.equal(await verdict(node, credential, asked(holder.prove(claims))), 'proof_invalid')
      assert.equal(await verdict(node, credential), 'valid')
    }
  })

  it('says that the question is faulty when it does not tell what a proof would be for', async () => {
    for (const absent of ['method', 'url'] as const) {
      const body = { credential: token, ...asked(holder.prove(sound())), [absent]: undefined }
      const answer = await node.request('POST', '/v1/verify', { body })
      assert.deepEqual([answer.status, answer.body.errors[0].pointer], [400, `/${absent}`])
    }
  })

  it('refuses everything of a key that was revoked', async () => {
    const own = dpopHolder()
    const [held, later] = [mint({ cnf: { jkt: own.jkt } }), mint({ cnf: { jkt: own.jkt } })]
    const proofFor = (bound: string): string =>
      own.prove(proofClaims(bound, node.clock.nowMs(), { htm: 'GET', htu: URL_CALLED }))
    assert.equal(await verdict(node, held, asked(proofFor(held))), 'valid')
    const { storage, context } = node.deployment
    await storage.write(async (tx) =>
      context.changes.record(tx, systemCaller([]), {
        action: 'proof_key.revoked',
        tenant: null,
        target: { type: 'proof_key', id: own.jkt },
        feed: { kind: 'proof_key', key: own.jkt, effect: 'revoked' },
      }),
    )
    assert.equal(await verdict(node, held, asked(proofFor(held))), 'revoked')
    assert.equal(await verdict(node, later, asked(proofFor(later))), 'revoked')
  })

  describe('at /v1/whoami', () => {
    const whoami = (headers: Record<string, string>) =>
      node.request('GET', '/v1/whoami?x=1', { key: null, headers })
    const proof = (more: Loose = {}) =>
      holder.prove(sound({ htu: 'https://postern.test/v1/whoami', ...more }))

    it('takes the scheme DPoP with a proof for this server', async () => {
      const answer = await whoami({ authorization: `DPoP ${token}`, dpop: proof() })
      assert.equal(answer.status, 200, answer.text)
      assert.deepEqual(answer.body.principal.cnf, { jkt: holder.jkt })
    })

    it('refuses a bound token as Bearer, with a proof or without, and the scheme without a proof', async () => {
      for (const headers of [
        { authorization: `Bearer ${token}` },
        { authorization: `Bearer ${token}`, dpop: proof() },
        { authorization: `DPoP ${token}` },
        { authorization: `DPoP ${mint()}` },
      ]) {
        const answer = await whoami(headers)
        assert.deepEqual([answer.status, answer.body.code], [401, 'proof_required'])
        assert.match(
          String(answer.headers['www-authenticate']),
          /^DPoP .*error="invalid_token".* algs="ES256 /,
        )
      }
    })

    it('refuses two proofs, one for elsewhere, and one with an unbound token', async () => {
      for (const headers of [
        { authorization: `DPoP ${token}`, dpop: `${proof()}, ${proof()}` },
        { authorization: `DPoP ${token}`, dpop: proof({ htu: URL_CALLED }) },
        { authorization: `DPoP ${mint()}`, dpop: proof() },
      ]) {
        const answer = await whoami(headers)
        assert.deepEqual([answer.status, answer.body.code], [401, 'proof_invalid'])
        assert.match(String(answer.headers['www-authenticate']), /^DPoP .*error="invalid_dpop_proof"/)
      }
    })

    it('goes by the issuer’s address and not by Host', async () => {
      const headers = { authorization: `DPoP ${token}`, host: 'evil.test' }
      const evil = await whoami({ ...headers, dpop: proof({ htu: 'https://evil.test/v1/whoami' }) })
      assert.equal(evil.body.code, 'proof_invalid')
      assert.equal((await whoami({ ...headers, dpop: proof() })).status, 200)
    })

    it('manages nothing: operators hold keys', async () => {
      const headers = { authorization: `DPoP ${node.operatorKey}`, dpop: proof() }
      const answer = await node.request('GET', '/v1/keys', { key: null, headers })
      assert.deepEqual([answer.status, answer.body.code], [401, 'unsupported'])
    })
  })
})

describe('seen proofs', () => {
  it('are bounded, and nothing is believed to be new while they are full', () => {
    const seen = new SeenProofs(2)
    const proof = (id: string, endsAtMs: number) => ({ id, endsAtMs })
    assert.equal(seen.note(proof('a', 60_000), 0), 'new')
    assert.equal(seen.note(proof('b', 80_000), 0), 'new')
    assert.equal(seen.note(proof('c', 60_000), 0), 'full')
    assert.equal(seen.note(proof('a', 60_000), 60_000), 'seen')
    assert.equal(seen.note(proof('c', 80_000), 60_000), 'full')
    assert.equal(seen.note(proof('c', 80_000), 60_001), 'new')
    assert.equal(seen.note(proof('b', 80_000), 60_001), 'seen')
  })
})
