/** The live form, against an issuer in memory with a clock that the test moves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Result } from '../src/index.ts'
import { createTestIssuer, settle, TEST_TENANT } from '../src/testing/index.ts'

async function code(result: Result | Promise<Result>): Promise<string> {
  const settled = await result
  return settled.valid ? 'valid' : settled.code
}

test('verifies a token here, without a question, and again at once', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const { text } = await issuer.issueToken({ scopes: ['orders:read'] })
  const first = verifier.verify(text, { scopes: 'orders:read' })
  assert.ok(!(first instanceof Promise) && first.valid)
  assert.equal(verifier.verify(text), first)
  assert.equal(issuer.questions.length, 0)
  assert.deepEqual([verifier.status().hits, verifier.status().misses], [1, 1])
})

test('refuses a revoked token, key, tenant, subject and signing key with the row', async () => {
  for (const kind of ['token', 'tenant', 'subject', 'signing_key', 'client']) {
    const issuer = await createTestIssuer()
    const verifier = await issuer.createLiveVerifier()
    const { id, text } = await issuer.issueToken()
    assert.equal(await code(verifier.verify(text)), 'valid')
    const key = {
      token: id,
      tenant: TEST_TENANT,
      subject: `${TEST_TENANT}/acct_7`,
      signing_key: issuer.kid,
      client: 'cli_0000000000000000000001',
    }[kind] as string
    issuer.revoke(kind, key)
    await settle()
    assert.equal(await code(verifier.verify(text)), 'revoked', kind)
    assert.equal(issuer.questions.length, 0, kind)
  }
})

test('lets live what is newer than a level, and masks no level by another', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const old = await issuer.issueToken()
  issuer.revoke('subject', `${TEST_TENANT}/acct_7`)
  await settle()
  const newer = await issuer.issueToken()
  assert.equal(await code(verifier.verify(old.text)), 'revoked')
  assert.equal(await code(verifier.verify(newer.text)), 'valid')
  // Another level, of a later number, that denies neither.
  issuer.revoke('client', 'cli_0000000000000000000009')
  await settle()
  assert.equal(await code(verifier.verify(old.text)), 'revoked')
  assert.equal(await code(verifier.verify(newer.text)), 'valid')
})

test('ends a token with any ancestor, and with anyone who acts in it, however deep', async () => {
  const acting = { act: { sub: 'usr_1', act: { sub: 'cli_7', act: { sub: 'robot' } } } }
  for (const [claims, kind, key] of [
    [{ anc: ['key_a', 'gra_b', 'ses_c', 'parent'] }, 'api_key', 'key_a'],
    [{ anc: ['key_a', 'gra_b', 'ses_c', 'parent'] }, 'grant', 'gra_b'],
    [{ anc: ['key_a', 'gra_b', 'ses_c', 'parent'] }, 'session', 'ses_c'],
    [{ anc: ['key_a', 'gra_b', 'ses_c', 'parent'] }, 'token', 'parent'],
    [{ gid: 'gra_1', sid: 'ses_1' }, 'grant', 'gra_1'],
    [{ gid: 'gra_1', sid: 'ses_1' }, 'session', 'ses_1'],
    [acting, 'actor', 'usr_1'],
    [acting, 'client', 'cli_7'],
    [acting, 'subject', `${TEST_TENANT}/robot`],
  ] as const) {
    const issuer = await createTestIssuer()
    const verifier = await issuer.createLiveVerifier()
    const { text } = await issuer.issueToken({ claims })
    assert.equal(await code(verifier.verify(text)), 'valid')
    issuer.revoke(kind, key)
    await settle()
    assert.equal(await code(verifier.verify(text)), 'revoked', `${kind} ${key}`)
  }
})

test('asks about a token that something has changed since, and refuses a position far ahead', async () => {
  const issuer = await createTestIssuer()
  const warnings: string[] = []
  const verifier = await issuer.createLiveVerifier({ onWarning: (message) => warnings.push(message) })
  const { text } = await issuer.issueToken()
  issuer.change('tenant', TEST_TENANT)
  await settle()
  assert.equal(await code(verifier.verify(text)), 'valid')
  assert.equal(issuer.questions.length, 1)
  const stolen = await issuer.issueToken({ claims: { rsn: Number.MAX_SAFE_INTEGER } })
  assert.equal(await code(verifier.verify(stolen.text)), 'unknown')
  assert.match(warnings[0] ?? '', /position that the feed cannot have reached/)
})

test('keeps a key until a row touches it, and refuses it from then on without a question', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const { id, text } = issuer.issueKey()
  assert.equal(await code(verifier.verify(text)), 'valid')
  await issuer.clock.advance(30_000)
  assert.ok(!(verifier.verify(text) instanceof Promise))
  issuer.revoke('api_key', 'key_of_another')
  await settle()
  assert.ok(!(verifier.verify(text) instanceof Promise))
  issuer.faults.server = 'down'
  issuer.revoke('api_key', id)
  await settle()
  assert.equal(await code(verifier.verify(text)), 'revoked')
})

test('neither keeps nor gives an answer that a row has overtaken', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const { text } = issuer.issueKey()
  // Answered as of now, on its way for a moment.
  const late = issuer.fetch
  const slow: typeof fetch = async (input, init) => {
    const response = await late(input, init)
    if (String(input).endsWith('/v1/verify')) await settle()
    return response
  }
  const racing = await issuer.createLiveVerifier({ fetch: slow })
  const answer = racing.verify(text)
  issuer.revoke('subject', `${TEST_TENANT}/acct_7`)
  assert.equal(await code(answer), 'revoked')
  assert.equal(await code(racing.verify(text)), 'revoked')
  assert.equal(await code(verifier.verify(text)), 'revoked')
})

test('ends every kept answer with cache_seconds', async () => {
  const issuer = await createTestIssuer({ cacheSeconds: 60 })
  const verifier = await issuer.createLiveVerifier()
  const { text } = issuer.issueKey()
  await verifier.verify(text)
  await issuer.clock.advance(59_900)
  assert.ok(!(verifier.verify(text) instanceof Promise))
  await issuer.clock.advance(200)
  assert.ok(verifier.verify(text) instanceof Promise)
})

test('serves while stale and says so; then each route as it chose', async () => {
  const issuer = await createTestIssuer()
  const states: string[] = []
  const verifier = await issuer.createLiveVerifier({ onStateChange: (state) => states.push(state) })
  const { text } = await issuer.issueToken()
  const key = issuer.issueKey()
  assert.equal(await code(verifier.verify(text)), 'valid')
  assert.equal(await code(verifier.verify(key.text)), 'valid')
  issuer.faults.feed = 'down'
  issuer.feed.breakOff()
  await issuer.clock.advance(4_000)
  assert.equal(verifier.status().state, 'stale')
  assert.ok(!(verifier.verify(text) instanceof Promise))
  await issuer.clock.advance(28_000)
  assert.equal(verifier.status().state, 'degraded')
  const asked = issuer.questions.length
  assert.equal(await code(verifier.verify(text)), 'valid')
  assert.equal(issuer.questions.length, asked + 1)
  assert.equal(await code(verifier.verify(text, { whenDegraded: 'closed' })), 'stale')
  issuer.faults.server = 'down'
  await issuer.clock.advance(6_000)
  assert.equal(await code(verifier.verify(text)), 'unavailable')
  assert.equal(await code(verifier.verify(text, { whenDegraded: 'open' })), 'valid')
  assert.equal(await code(verifier.verify(key.text, { whenDegraded: 'open' })), 'valid')
  await issuer.clock.advance(900_000)
  assert.equal(await code(verifier.verify(text, { whenDegraded: 'open' })), 'expired')
  assert.equal(await code(verifier.verify(key.text, { whenDegraded: 'open' })), 'unavailable')
  issuer.faults.feed = 'up'
  await issuer.clock.advance(10_000)
  assert.equal(verifier.status().state, 'live')
  assert.deepEqual(states, ['live', 'stale', 'degraded', 'live'])
})

test('keeps its deny rows through a new epoch that has lost them, and empties what it kept', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const { id, text } = await issuer.issueToken()
  const other = issuer.issueKey()
  await verifier.verify(other.text)
  const lost = issuer.revoke('token', id)
  await settle()
  issuer.feed.beginEpoch([lost])
  await issuer.clock.advance(1_000)
  assert.equal(verifier.status().state, 'live')
  assert.equal(await code(verifier.verify(text)), 'revoked')
  assert.ok(verifier.verify(other.text) instanceof Promise)
  // Until their time is over, by the server's clock.
  await issuer.clock.advance(3_700_000)
  assert.equal(verifier.status().denyRows, 0)
})

test('resumes after a restart, with what was revoked meanwhile', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const { id, text } = await issuer.issueToken()
  assert.equal(await code(verifier.verify(text)), 'valid')
  issuer.faults.feed = 'down'
  issuer.feed.breakOff()
  await settle()
  issuer.revoke('token', id)
  issuer.faults.feed = 'up'
  await issuer.clock.advance(2_000)
  assert.equal(await code(verifier.verify(text)), 'revoked')
  assert.equal(issuer.feed.requests.snapshot, 1)
})

test('comes back from a connection that was cut without a word', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  await issuer.clock.advance(5_000)
  const { id, text } = await issuer.issueToken()
  assert.equal(await code(verifier.verify(text)), 'valid')
  issuer.faults.feed = 'half-open'
  issuer.revoke('token', id)
  await issuer.clock.advance(2_000)
  issuer.faults.feed = 'up'
  await issuer.clock.advance(3_000)
  assert.equal(await code(verifier.verify(text)), 'revoked')
  assert.equal(verifier.status().state, 'live')
})

test('stays live by long poll behind a proxy that holds the stream back, and tries the stream again', async () => {
  const issuer = await createTestIssuer()
  issuer.faults.feed = 'buffered'
  const verifier = await issuer.createLiveVerifier()
  await issuer.clock.advance(5_000)
  assert.ok(issuer.feed.requests.events > 0)
  for (let round = 0; round < 40; round++) {
    await issuer.clock.advance(250)
    assert.equal(verifier.status().state, 'live')
  }
  const { id, text } = await issuer.issueToken()
  assert.equal(await code(verifier.verify(text)), 'valid')
  issuer.revoke('token', id)
  await issuer.clock.advance(1_500)
  assert.equal(await code(verifier.verify(text)), 'revoked')
  issuer.faults.feed = 'up'
  await issuer.clock.advance(40_000)
  assert.ok(issuer.feed.requests.stream > 1)
  assert.equal(issuer.feed.openStreams, 1)
})

test('leaves live when the server has lost its database', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  issuer.faults.feed = 'silent'
  await issuer.clock.advance(3_500)
  assert.equal(verifier.status().state, 'stale')
})

test('a clock set back an hour revives nothing', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const { text } = await issuer.issueToken({ lifetimeSeconds: 10 })
  assert.equal(await code(verifier.verify(text)), 'valid')
  issuer.clock.jump(-3_600_000)
  issuer.faults.feed = 'down'
  issuer.feed.breakOff()
  await issuer.clock.advance(11_000)
  assert.equal(await code(verifier.verify(text)), 'expired')
})

test('one stream for all verifiers of a process, which ends with the last of them', async () => {
  const issuer = await createTestIssuer()
  const one = await issuer.createLiveVerifier()
  const other = await issuer.createLiveVerifier({ resource: 'https://other.example.com' })
  assert.equal(issuer.feed.openStreams, 1)
  one.close()
  await settle()
  assert.equal(issuer.feed.openStreams, 1)
  other.close()
  await settle()
  assert.equal(issuer.feed.openStreams, 0)
  assert.equal(one.status().state, 'off')
  assert.equal(await code(one.verify(issuer.issueKey().text)), 'valid')
})

test('an unknown key costs one fetch per cooldown', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  for (let round = 0; round < 50; round++) {
    const { text } = await issuer.issueToken({ header: { kid: `invented-${round}` } })
    assert.equal(await code(verifier.verify(text)), 'unknown')
  }
  assert.equal(issuer.feed.requests.events, 1)
  assert.equal(issuer.questions.length, 0)
})

test('asks the server until it has heard of the feed', async () => {
  const issuer = await createTestIssuer()
  const verifier = issuer.createVerifier()
  const { text } = await issuer.issueToken()
  assert.equal(verifier.status().state, 'boot')
  assert.equal(await code(verifier.verify(text)), 'valid')
  assert.equal(issuer.questions.length, 1)
})
