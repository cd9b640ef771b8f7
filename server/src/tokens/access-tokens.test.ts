import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import type { Denial } from '../kernel/index.ts'
import { deleteResource, type Resource } from '../resources/index.ts'
import type { FeedKind } from '../revocation/index.ts'
import { deleteTenant, type Tenant, updateTenant } from '../tenants/index.ts'
import type { AccessTokenClaims } from './access-token.ts'
import { ensureSigningKey } from './change-signing-keys.ts'
import { findPresentedToken } from './find-presented-token.ts'
import { AncestorEnded, mintAccessToken, TokenTooLarge } from './mint-access-token.ts'
import { base64url, claimsFor, forge, forgeOwn, type Loose, p256 } from '../../test/tokens/forge.ts'
import { ISSUER, startNode, SYSTEM, type TestNode } from '../../test/tokens/node.ts'
import { verifyAccessToken } from './verify-access-token.ts'

const CLIENT = 'cli_0000000000000000000001'
const JKT = 'a'.repeat(43)

onBothDatabases('access tokens', (fresh) => {
  let node: TestNode
  let resource: Resource
  let tenant: Tenant
  before(async () => {
    node = await startNode(await fresh())
    resource = await node.addResource('https://api.example.com')
    tenant = await node.addTenant('customer')
    await ensureSigningKey(node.keyPorts, 'RS256')
    await ensureSigningKey(node.keyPorts, 'EdDSA')
    await node.signingKeys.refresh()
  })
  after(() => node.close())

  const claims = (more: Partial<AccessTokenClaims> = {}): AccessTokenClaims =>
    claimsFor(
      node.clock.nowMs(),
      { iss: ISSUER, aud: resource.uri, tenant: tenant.id, rsn: node.feed.position },
      more,
    )
  const find = (token: string) => findPresentedToken(node.tokenPorts, token)
  const codeOf = async (token: string): Promise<string> => {
    const answer = await find(token)
    if ('code' in answer) return answer.code
    return answer.revoked ? 'revoked' : answer.disabled ? 'disabled' : 'valid'
  }
  const mint = (more: Partial<AccessTokenClaims> = {}): string =>
    mintAccessToken(node.signingKeys, 'ES256', claims(more))
  /** A row of the feed, as the operation that changes something writes it. */
  const end = (kind: FeedKind, key: string, effect: 'revoked' | 'changed' | 'deleted' = 'revoked') =>
    node.storage.write(async (tx) =>
      node.changes.record(tx, SYSTEM, {
        action: 'test.ended',
        tenant: null,
        target: { type: kind, id: key },
        feed: { kind, key, effect },
      }),
    )

  for (const algorithm of ['ES256', 'RS256', 'EdDSA'] as const)
    it(`mints with ${algorithm} what verify accepts`, async () => {
      assert.equal(await codeOf(mintAccessToken(node.signingKeys, algorithm, claims())), 'valid')
    })

  it('answers who calls, with every claim in its place', async () => {
    const act = { sub: CLIENT, act: { sub: 'cli_0000000000000000000002' } }
    const token = mint({
      act,
      cnf: { jkt: JKT },
      sid: 'ses_1',
      gid: 'gra_1',
      acr: 'mfa',
      amr: ['otp'],
      roles: ['admin'],
    })
    const answer = await find(token)
    assert.ok('principal' in answer)
    const { principal } = answer
    assert.deepEqual(
      { ...principal, credential: principal.credential.type, expiresAtMs: 0 },
      {
        sub: 'usr_0000000000000000000001',
        subType: 'user',
        tenant: tenant.id,
        resource: resource.uri,
        scopes: ['read', 'write'],
        roles: ['admin'],
        credential: 'access_token',
        clientId: CLIENT,
        act,
        cnf: { jkt: JKT },
        grantId: 'gra_1',
        sessionId: 'ses_1',
        acr: 'mfa',
        amr: ['otp'],
        expiresAtMs: 0,
      },
    )
    for (const ref of [`resource:${resource.id}`, `tenant:${tenant.id}`, 'session:ses_1', `proof_key:${JKT}`])
      assert.ok(answer.refs.includes(ref), ref)
  })

  it('counts only the scopes that the resource has', async () => {
    const answer = await find(mint({ scope: 'read openid nobody:knows' }))
    assert.deepEqual('principal' in answer && answer.principal.scopes, ['read'])
  })

  it('takes an audience list with one of our resources, and refuses none and two', async () => {
    const second = await node.addResource('https://second.example.com')
    assert.equal(await codeOf(mint({ aud: ['https://elsewhere.example.com', resource.uri] })), 'valid')
    assert.equal(await codeOf(mint({ aud: ['https://elsewhere.example.com'] })), 'wrong_resource')
    assert.equal(await codeOf(mint({ aud: [second.uri, resource.uri] })), 'malformed')
  })

  describe('is denied by any of what it depends on', () => {
    const ANCESTOR = {
      key: 'key_0000000000000000000001',
      gra: 'gra_0000000000000000000009',
      ses: 'ses_0000000000000000000009',
    }
    const cases: readonly (readonly [FeedKind, string, Partial<AccessTokenClaims>])[] = [
      ['token', 'one-token', { jti: 'one-token' }],
      ['grant', 'gra_a', { gid: 'gra_a' }],
      ['session', 'ses_a', { sid: 'ses_a' }],
      ['proof_key', 'b'.repeat(43), { cnf: { jkt: 'b'.repeat(43) } }],
      ['client', 'cli_a', { client_id: 'cli_a' }],
      ['subject', 'usr_a', { sub: 'usr_a' }],
      ['actor', 'cli_b', { act: { sub: 'cli_b' } }],
      ['actor', 'cli_c', { act: { sub: 'cli_x', act: { sub: 'cli_c' } } }],
      ['client', 'cli_d', { act: { sub: 'cli_d' } }],
      ['api_key', ANCESTOR.key, { anc: [ANCESTOR.key] }],
      ['grant', ANCESTOR.gra, { anc: ['other', ANCESTOR.gra] }],
      ['session', ANCESTOR.ses, { anc: [ANCESTOR.ses] }],
      ['token', 'parent-token', { anc: ['parent-token'] }],
    ]
    for (const [kind, key, more] of cases)
      it(`${kind} ${key.slice(0, 12)} (${Object.keys(more).join()})`, async () => {
        const token = mint(more)
        assert.equal(await codeOf(token), 'valid')
        await end(kind, key, 'changed')
        assert.equal(await codeOf(token), 'valid', 'a change ends nothing')
        await end(kind, key)
        assert.equal(await codeOf(token), 'revoked')
        assert.equal(await codeOf(mint()), 'valid', 'another token lives on')
      })

    it('an external subject means its own tenant', async () => {
      const token = mint({ sub: 'owner' })
      await end('subject', 'ten_0000000000000000000007/owner')
      assert.equal(await codeOf(token), 'valid')
      await end('subject', `${tenant.id}/owner`)
      assert.equal(await codeOf(token), 'revoked')
    })
  })

  it('lets a level deny what is older, and accepts what is newer', async () => {
    const older = mint({ sub: 'usr_level' })
    await end('subject', 'usr_level')
    assert.equal(await codeOf(older), 'revoked')
    assert.equal(await codeOf(mint({ sub: 'usr_level' })), 'valid')
  })

  it('lets a terminal row deny whatever position a token claims', async () => {
    await end('grant', 'gra_terminal')
    assert.equal(await codeOf(mint({ gid: 'gra_terminal' })), 'revoked')
    await end('client', 'cli_deleted', 'deleted')
    assert.equal(await codeOf(mint({ client_id: 'cli_deleted' })), 'revoked')
  })

  it('follows its tenant: disabled, enabled, deleted, unknown', async () => {
    const customer = await node.addTenant('short-lived')
    const token = mint({ tenant: customer.id })
    const disable = (disabled: boolean) =>
      node.storage.write((tx) => updateTenant(tx, node.changes, SYSTEM, customer.id, { disabled }))
    await disable(true)
    assert.equal(await codeOf(token), 'disabled')
    await disable(false)
    assert.equal(await codeOf(token), 'valid')
    await node.storage.write((tx) => deleteTenant(tx, node.changes, SYSTEM, customer.id))
    assert.equal(await codeOf(token), 'revoked')
    assert.equal(await codeOf(mint({ tenant: 'ten_nobody' })), 'unknown')
  })

  it('ends with its resource, also when the URI is used again', async () => {
    const first = await node.addResource('https://again.example.com')
    const token = mint({ aud: first.uri })
    assert.equal(await codeOf(token), 'valid')
    await node.storage.write((tx) => deleteResource(tx, node.changes, SYSTEM, first.id))
    assert.equal(await codeOf(token), 'wrong_resource')
    node.clock.advance(2_000)
    await node.addResource('https://again.example.com')
    assert.equal(await codeOf(token), 'revoked')
    assert.equal(await codeOf(mint({ aud: first.uri })), 'valid')
  })

  it('refuses a position above the head, and raises an alarm', async () => {
    const before = node.tokenPorts.alarms.length
    const rsn = node.feed.position + 1_000_000
    assert.equal(await codeOf(mint({ rsn })), 'unknown')
    assert.equal(node.tokenPorts.alarms.length, before + 1)
    assert.equal(node.tokenPorts.alarms.at(-1)?.rsn, rsn)
  })

  it('refuses an expired token, and one from more than a minute ahead', async () => {
    const iat = Math.floor(node.clock.nowMs() / 1000)
    assert.equal(await codeOf(mint({ iat: iat - 900, exp: iat })), 'expired')
    assert.equal(await codeOf(mint({ iat: iat + 55 })), 'valid')
    assert.equal(await codeOf(mint({ iat: iat + 65 })), 'not_yet_valid')
    assert.equal(await codeOf(mint({ nbf: iat + 65 })), 'not_yet_valid')
  })

  it('never outlives an ancestor, and is not minted after one', () => {
    const { iat, ...rest } = claims()
    const token = mintAccessToken(
      node.signingKeys,
      'ES256',
      { iat, ...rest },
      { ancestorsEndAt: [iat + 500, iat + 60] },
    )
    const payload = JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as {
      exp: number
    }
    assert.equal(payload.exp, iat + 60)
    assert.throws(
      () => mintAccessToken(node.signingKeys, 'ES256', { iat, ...rest }, { ancestorsEndAt: [iat] }),
      AncestorEnded,
    )
  })

  it('warns over 2 kB and refuses over 6 kB, naming the largest claim', () => {
    const warned: (string | number)[] = []
    const onLarge = (bytes: number, claim: string): void => void warned.push(claim, bytes)
    const roles = (count: number): string[] =>
      Array.from({ length: count }, (_, index) => `role-number-${index}`)
    mintAccessToken(node.signingKeys, 'ES256', claims(), { onLarge })
    assert.deepEqual(warned, [])
    mintAccessToken(node.signingKeys, 'ES256', claims({ roles: roles(100) }), { onLarge })
    assert.equal(warned[0], 'roles')
    assert.throws(
      () =>
        mintAccessToken(node.signingKeys, 'ES256', claims({ scope: 'x'.repeat(5_000), roles: roles(100) })),
      (error: TokenTooLarge) => error instanceof TokenTooLarge && error.claim === 'scope',
    )
  })

  it('mints nothing that it would not accept', () => {
    for (const more of [{ rsn: 1.5 }, { anc: Array.from({ length: 9 }, () => 'a') }, { sub: '' }] as const)
      assert.throws(() => mint(more), /not well-formed/)
  })

  describe('refuses bad input', () => {
    const refuse = (name: string, code: string | readonly string[], make: () => string) =>
      it(name, async () => {
        assert.equal(await codeOf(mint()), 'valid', 'the control')
        const answer = await codeOf(make())
        assert.ok([code].flat().includes(answer), `answered ${answer}`)
        const direct = verifyAccessToken(make(), node.signingKeys, {
          issuer: ISSUER,
          nowMs: node.clock.nowMs(),
        })
        assert.equal(direct.valid, false)
      })
    const parts = (token: string) => token.split('.') as [string, string, string]
    const own = (payload: Loose | string | Buffer, header: Loose = {}) =>
      forgeOwn(node.signingKeys, payload, header)
    const kid = () => node.signingKeys.active('ES256').kid

    refuse('alg none, with and without a signature', 'malformed', () => {
      const [, payload, signature] = parts(mint())
      return `${base64url({ alg: 'none', typ: 'at+jwt', kid: kid() })}.${payload}.${signature}`
    })
    refuse('no signature at all', 'malformed', () => parts(mint()).slice(0, 2).join('.') + '.')
    refuse('HS256 with the public key as its secret', 'malformed', () => {
      const input = `${base64url({ alg: 'HS256', typ: 'at+jwt', kid: kid() })}.${base64url(claims() as never)}`
      const secret = node.signingKeys
        .verificationKey(kid())
        ?.publicKey.export({ format: 'pem', type: 'spki' })
      return `${input}.${createHmac('sha256', secret as string)
        .update(input)
        .digest('base64url')}`
    })
    refuse('another algorithm than the key has', 'malformed', () => own(claims() as never, { alg: 'ES384' }))
    refuse('an RS256 signature under an ES256 kid', 'malformed', () =>
      forgeOwn(node.signingKeys, claims() as never, { kid: kid() }, 'RS256'),
    )
    refuse('a signature by another key under our kid', 'unknown', () =>
      forge('ES256', p256().privateKey, { alg: 'ES256', typ: 'at+jwt', kid: kid() }, claims() as never),
    )
    refuse('its own key in the header (jwk)', 'malformed', () => {
      const { publicKey, privateKey } = p256()
      const jwk = publicKey.export({ format: 'jwk' })
      return forge('ES256', privateKey, { alg: 'ES256', typ: 'at+jwt', kid: kid(), jwk }, claims() as never)
    })
    for (const [member, value] of Object.entries({
      jku: 'https://evil.example/jwks',
      x5u: 'https://evil.example/cert',
      x5c: ['MIIB'],
      crit: ['exp'],
      b64: false,
      zip: 'DEF',
    }))
      refuse(`the header member ${member}`, 'malformed', () => own(claims() as never, { [member]: value }))
    for (const [name, value, code] of [
      ['a path', '../../etc/passwd', 'unknown'],
      ['SQL', "' OR 1=1 --", 'unknown'],
      ['an array', [1], 'malformed'],
      ['an object', { a: 1 }, 'malformed'],
      ['a number', 7, 'malformed'],
      ['null', null, 'malformed'],
      ['empty', '', 'malformed'],
      ['a kilobyte', 'k'.repeat(1_000), 'malformed'],
      ['__proto__', '__proto__', 'unknown'],
    ] as const)
      refuse(`a kid that is ${name}`, code, () => own(claims() as never, { kid: value }))
    refuse('an ID token as an access token', 'unsupported', () => own(claims() as never, { typ: 'JWT' }))
    refuse('a token without a type', 'unsupported', () => own(claims() as never, { typ: undefined }))
    refuse('a type that is no text', 'malformed', () => own(claims() as never, { typ: ['at+jwt'] }))
    it('takes application/at+jwt in any case', async () => {
      assert.equal(await codeOf(own(claims() as never, { typ: 'Application/AT+JWT' })), 'valid')
    })

    refuse('a trailing bit in the last character', 'malformed', () => {
      const token = mint()
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const last = alphabet.indexOf(token.at(-1) as string)
      return token.slice(0, -1) + alphabet[last + 1]
    })
    refuse('padding', 'malformed', () => `${mint()}=`)
    refuse('the alphabet of plain base64', 'malformed', () => parts(mint()).join('.').replace(/.$/, '+'))
    refuse('a space', 'malformed', () => mint().replace('.', '. '))
    refuse('a fourth part', 'malformed', () => `${mint()}.abcd`)
    refuse('two parts', 'malformed', () => parts(mint()).slice(1).join('.'))
    refuse('more than 8 kB', 'malformed', () => own({ ...claims(), scope: 'x'.repeat(8_000) }))
    refuse('a changed payload', 'unknown', () => {
      const [header, , signature] = parts(mint())
      return [header, base64url(claims({ sub: 'usr_somebody' }) as never), signature].join('.')
    })
    refuse('a header that is not JSON', 'malformed', () => ['e30x', ...parts(mint()).slice(1)].join('.'))
    refuse('a header that is an array', 'malformed', () =>
      [base64url([]), ...parts(mint()).slice(1)].join('.'),
    )

    const text = (more = ''): string => JSON.stringify(claims()).slice(0, -1) + more + '}'
    refuse('a member twice', 'malformed', () => own(text(',"sub":"usr_somebody"')))
    refuse('a member twice under an escape', 'malformed', () => own(text(',"\\u0073ub":"usr_somebody"')))
    refuse('a member twice, deep inside', 'malformed', () => own(text(',"act":{"sub":"a","sub":"b"}')))
    refuse('__proto__', 'malformed', () => own(text(',"__proto__":{"tenant":"x"}')))
    refuse('a payload that is no object', 'malformed', () => own('"text"'))
    refuse('a payload that is not UTF-8', 'malformed', () => {
      const [head, tail] = [Buffer.from(text(',"x":"').slice(0, -1)), Buffer.from('"}')]
      return own(Buffer.concat([head, Buffer.from([0xff]), tail]))
    })
    refuse('nesting without end', 'malformed', () => own(text(`,"x":${'['.repeat(500)}${']'.repeat(500)}`)))
    for (const [name, value] of [
      ['rsn', 2 ** 53],
      ['rsn', -1],
      ['rsn', '12'],
      ['rsn', undefined],
      ['rsn', 1.5],
      ['exp', -1],
      ['exp', undefined],
      ['exp', null],
      ['exp', '9999999999'],
      ['exp', 1e300],
      ['exp', 99_999_999_999.5],
      ['iat', undefined],
      ['iat', '1'],
      ['nbf', 'soon'],
      ['aud', undefined],
      ['aud', []],
      ['aud', [7]],
      ['aud', Array.from({ length: 9 }, () => 'https://api.example.com')],
      ['sub', ''],
      ['sub', 7],
      ['sub', 'a\u0000b'],
      ['sub', '\ud800'],
      ['jti', undefined],
      ['jti', 'j'.repeat(201)],
      ['client_id', undefined],
      ['tenant', undefined],
      ['tenant', ['ten_1']],
      ['scope', ['read']],
      ['roles', 'admin'],
      ['anc', 'key_1'],
      ['anc', Array.from({ length: 9 }, (_, index) => `key_${index}`)],
      ['anc', [{}]],
      ['cnf', {}],
      ['cnf', { jkt: 'short' }],
      ['cnf', { jkt: JKT, 'x5t#S256': 'x' }],
      ['act', 'cli_1'],
      ['act', {}],
      ['act', { sub: 'a', act: { sub: 'b', act: { sub: 'c', act: { sub: 'd', act: { sub: 'e' } } } } }],
    ] as const)
      refuse(`${name}: ${JSON.stringify(value)?.slice(0, 60)}`, 'malformed', () =>
        own({ ...claims(), [name]: value }),
      )
    refuse('exp: NaN', 'malformed', () => own(JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":NaN')))
    refuse('exp: 1e999', 'malformed', () => own(JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e999')))
    refuse('another issuer under our key', 'unknown', () => own({ ...claims(), iss: 'https://evil.example' }))
    refuse('our issuer with a slash more', 'unknown', () => own({ ...claims(), iss: `${ISSUER}/` }))
    refuse('an issuer list', 'malformed', () => own({ ...claims(), iss: [ISSUER] }))
    refuse('a kid that nobody has', 'unknown', () => own(claims() as never, { kid: 'nobody' }))
    refuse('no kid', 'malformed', () => own(claims() as never, { kid: undefined }))
    refuse('1 MB', 'malformed', () => 'a'.repeat(1_000_000))
    refuse('an ECDSA signature of zeros', 'unknown', () => {
      const [header, payload] = parts(mint())
      return [header, payload, Buffer.alloc(64).toString('base64url')].join('.')
    })
    refuse('an ECDSA signature in DER', 'unknown', () => {
      const [header, payload] = parts(mint())
      return [
        header,
        payload,
        Buffer.concat([Buffer.from([0x30, 0x45]), Buffer.alloc(69, 1)]).toString('base64url'),
      ].join('.')
    })
  })

  it('says wrong_resource when the caller names another one', () => {
    const expected = { issuer: ISSUER, nowMs: node.clock.nowMs() }
    const token = mint()
    assert.equal(
      verifyAccessToken(token, node.signingKeys, { ...expected, resource: resource.uri }).valid,
      true,
    )
    const refused = verifyAccessToken(token, node.signingKeys, { ...expected, resource: 'https://b.example' })
    assert.equal((refused as Denial).code, 'wrong_resource')
  })
})
