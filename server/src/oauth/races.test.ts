/**
 * Races at the token endpoint: of many presentations of one thing at once, never two succeed, on SQLite and with two nodes
 * on Postgres. The control has the guard taken out, and has to fail: it proves that these tests would notice.
 *
 * OAUTH_RACE_TRIES sets how many presentations of each kind there are in all: fewer while working on something else.
 */
import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SignJWT } from 'jose'
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
import { Artifacts } from '../clients/index.ts'
import { withEvidence } from './evidence.ts'

const TRIES = Number(process.env['OAUTH_RACE_TRIES'] ?? 1_000)
const AT_ONCE = 8
const CALLBACK = 'https://app.example.test/callback'
const PASSWORD = 'correct horse battery'

type Present = (node: OAuthServer) => ReturnType<OAuthServer['form']>

onBothDatabases('races', (fresh) => {
  let nodes: OAuthServer[]
  let web: Json
  let service: Json
  let page: Json
  let userId: string
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicJwk = keys.publicKey.export({ format: 'jwk' })

  before(async () => {
    const database = await fresh()
    const first = await openOAuthServer(database)
    nodes = database.dialect === 'postgres' ? [first, await first.secondNode()] : [first]
    await newResource(first)
    web = await newClient(first, {
      kind: 'web',
      redirect_uris: [CALLBACK],
      resources: [{ resource: API }],
      introspects: [API],
    })
    page = await newClient(first, {
      kind: 'browser',
      redirect_uris: [CALLBACK],
      resources: [{ resource: API }],
    })
    service = await newClient(first, {
      auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...publicJwk, alg: 'ES256', kid: 'one' }] },
      resources: [{ resource: API }],
    })
    const user = await first.manage('POST', '/v1/users', { username: 'ada', name: 'Ada' })
    await first.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
    await first.manage('PUT', `/v1/users/${user.id}/tenants/${web.tenant}`, { roles: [] })
    userId = user.id
  })
  after(() => Promise.all(nodes.map((node) => node.close())))

  const first = (): OAuthServer => nodes[0] as OAuthServer
  const verifier = 'v'.repeat(43)

  /** A grant with a code, made as the engine makes them: signing in a thousand times is another test. */
  const newCode = async (whose = web): Promise<{ code: string; gid: string }> => {
    const { provider } = await first().deployment.oauth.engine.load()
    const request = { ip: '127.0.0.1', requestId: 'test', route: 'test' }
    return withEvidence(first().deployment.storage, request, async () => {
      const client = await provider.Client.find(whose.id)
      const grant = new provider.Grant({ accountId: userId, clientId: whose.id })
      Object.assign(grant, { tenant: whose.tenant })
      grant.addResourceScope(API, 'orders:read')
      const gid = await grant.save()
      const code = new provider.AuthorizationCode({
        accountId: userId,
        client: client as never,
        grantId: gid,
        redirectUri: CALLBACK,
        scope: 'orders:read',
        resource: API as never,
        codeChallenge: createHash('sha256').update(verifier).digest('base64url'),
        codeChallengeMethod: 'S256',
      } as never)
      return { code: await code.save(), gid }
    })
  }
  const send = (node: OAuthServer, fields: Record<string, string>, who: Json) =>
    who.client_secret
      ? node.form('/token', fields, basic(who.id, who.client_secret))
      : node.form('/token', { ...fields, client_id: who.id })
  const redeem =
    (code: string, who = web) =>
    (node: OAuthServer) =>
      send(
        node,
        { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier },
        who,
      )
  const refresh =
    (token: string, who = web) =>
    (node: OAuthServer) =>
      send(node, { grant_type: 'refresh_token', refresh_token: token }, who)

  /**
   * The same request many times at once, over all nodes, with a head start for the first; answers the bodies of those that
   * succeeded.
   */
  const race = async (send: Present, tries: number, headStartMs = 0): Promise<Json[]> => {
    const answers = await Promise.all(
      Array.from({ length: tries }, async (_, index) => {
        if (index > 0 && headStartMs > 0) await sleep(headStartMs)
        return send(nodes[index % nodes.length] as OAuthServer)
      }),
    )
    for (const { status, body } of answers)
      assert.ok(status === 200 || status === 400 || status === 401, JSON.stringify(body))
    return answers.filter(({ status }) => status === 200).map(({ body }) => body)
  }
  const isActive = async (token: string): Promise<boolean> =>
    (await first().form('/introspect', { token }, basic(web.id, web.client_secret))).body.active

  const rounds = Math.ceil(TRIES / AT_ONCE)
  let aloneMs = 0

  /** Everything that a grant gave: whoever holds it now, it is worth nothing. */
  const isDead = async (body: Json, who: Json): Promise<void> => {
    assert.equal(await isActive(body.access_token), false)
    assert.equal((await refresh(body.refresh_token, who)(first())).status, 400)
  }

  /** After a winner, everybody else loses, and what the winner got is dead. */
  const winsThenEnds = async (present: Present, who = web): Promise<void> => {
    const startedAt = performance.now()
    const { status, body } = await present(first())
    aloneMs = performance.now() - startedAt
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(await isActive(body.access_token), true)
    assert.equal((await race(present, AT_ONCE)).length, 0)
    await isDead(body, who)
  }

  /**
   * One wins at most, and what it got is dead. Truly at once none wins: a loser ends the grant before the winner is
   * served. So the rounds differ in the head start that one of them has, from none to longer than it takes alone: the
   * others come at every moment of it.
   */
  const endsTheWinner = async (round: number, present: Present, who = web): Promise<number> => {
    const won = await race(present, AT_ONCE, (aloneMs * ((round % 10) - 1)) / 6)
    assert.ok(won.length <= 1)
    for (const body of won) await isDead(body, who)
    return won.length
  }

  it(`redeems one code once (${TRIES} tries), and a second presentation ends what the first got`, async (t) => {
    let winners = 0
    for (let round = 0; round < rounds; round++) {
      const { code } = await newCode()
      if (round % 10 === 0) await winsThenEnds(redeem(code))
      else winners += await endsTheWinner(round, redeem(code))
    }
    t.diagnostic(`${winners} races had a winner`)
    assert.ok(winners > 0 || rounds < 10)
  })

  it(`takes one refresh token of a public client once (${TRIES} tries), and a second presentation ends the grant`, async (t) => {
    let winners = 0
    for (let round = 0; round < rounds; round++) {
      const { code } = await newCode(page)
      const { body } = await redeem(code, page)(first())
      if (round % 10 === 0) await winsThenEnds(refresh(body.refresh_token, page), page)
      else winners += await endsTheWinner(round, refresh(body.refresh_token, page), page)
      assert.equal(await isActive(body.access_token), false)
    }
    t.diagnostic(`${winners} races had a winner`)
    assert.ok(winners > 0 || rounds < 10)
  })

  it(`gives a client that authenticates one answer, however often it asks at once (${TRIES} tries)`, async () => {
    for (let round = 0; round < rounds; round++) {
      const { code } = await newCode()
      const { body } = await redeem(code)(first())
      const answers = await race(refresh(body.refresh_token), AT_ONCE)
      assert.equal(answers.length, AT_ONCE)
      assert.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1)
      if (round % 10 === 0) assert.equal(await isActive(answers[0].access_token), true)
    }
  })

  const signed = (claims: Record<string, unknown>, header: Record<string, unknown>) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', ...header }).sign(keys.privateKey)
  const assertion = () => {
    const now = Math.floor(Date.now() / 1000)
    return signed(
      {
        iss: service.id,
        sub: service.id,
        aud: first().issuer,
        jti: randomBytes(12).toString('base64url'),
        iat: now,
        exp: now + 60,
      },
      { kid: 'one' },
    )
  }
  const withAssertion = (client_assertion: string) => (node: OAuthServer) =>
    node.form('/token', {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion,
    })

  it(`takes one client assertion once (${TRIES} tries)`, async () => {
    for (let round = 0; round < rounds; round++) {
      const won = await race(withAssertion(await assertion()), AT_ONCE)
      assert.equal(won.length, 1)
    }
  })

  const newProof = () =>
    signed(
      {
        htm: 'POST',
        htu: `${first().issuer}/token`,
        jti: randomBytes(12).toString('base64url'),
        iat: Math.floor(Date.now() / 1000),
      },
      { typ: 'dpop+jwt', jwk: publicJwk },
    )
  const withProof = (holder: Json, dpop: string) => (node: OAuthServer) =>
    node.form(
      '/token',
      { grant_type: 'client_credentials' },
      { ...basic(holder.id, holder.client_secret), dpop },
    )

  it(`takes one DPoP proof once (${TRIES} tries), and binds the token to its key`, async () => {
    const holder = await newClient(first(), { resources: [{ resource: API }], dpop_bound: true })
    for (let round = 0; round < rounds; round++) {
      const proof = await newProof()
      const won = await race(withProof(holder, proof), AT_ONCE)
      assert.equal(won.length, 1)
      assert.equal(won[0].token_type, 'DPoP')
      assert.match(claimsOf(won[0].access_token).cnf.jkt, /^[\w-]{43}$/)
    }
  })

  it('control: with the guards taken out, each of the four succeeds more than once', async () => {
    const artifacts = nodes.map((node) => node.deployment.oauth.artifacts)
    const { consume, seeOnce } = Artifacts.prototype
    // What the engine's own storage does: it marks, and tells nobody that it was marked before.
    for (const one of artifacts) {
      one.consume = async (_model, _id, { andSave = [] } = {}) => {
        for (const artifact of andSave) await one.save(artifact)
        return 'consumed'
      }
      one.seeOnce = async (model, id, expiresAtMs) => {
        await seeOnce.call(one, model, id, expiresAtMs)
        return true
      }
    }
    try {
      const { code } = await newCode()
      const redeemed = await race(redeem(code), AT_ONCE)
      assert.ok(redeemed.length > 1, 'codes')
      assert.ok(new Set(redeemed.map((body) => body.access_token)).size > 1)
      const refreshed = await race(refresh(redeemed[0].refresh_token), AT_ONCE)
      assert.ok(new Set(refreshed.map((body) => body.access_token)).size > 1, 'refresh tokens')
      assert.ok((await race(withAssertion(await assertion()), AT_ONCE)).length > 1, 'assertions')
      const holder = await newClient(first(), { resources: [{ resource: API }], dpop_bound: true })
      const proven = await race(withProof(holder, await newProof()), AT_ONCE)
      assert.ok(new Set(proven.map((body) => body.access_token)).size > 1, 'proofs')
    } finally {
      for (const one of artifacts) Object.assign(one, { consume, seeOnce })
    }
  })

  it('keeps nothing that was made under a grant while it ended', async () => {
    const { code, gid } = await newCode()
    await redeem(code)(first())
    await first().deployment.oauth.artifacts.revokeGrant(gid, 'test')
    const left = await first()
      .deployment.storage.read<{ oauth_artifacts: { grant_id: string | null } }>()
      .selectFrom('oauth_artifacts')
      .select('grant_id')
      .where('grant_id', '=', gid)
      .execute()
    assert.equal(left.length, 0)
    const saved = await first().deployment.oauth.artifacts.save({
      model: 'RefreshToken',
      id: 'late',
      payload: { grantId: gid },
      rsn: 0,
      expiresAtMs: Date.now() + 60_000,
    })
    assert.equal(saved, false)
  })
})
