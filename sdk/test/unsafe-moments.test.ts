/** Moments at which something could be believed that is no longer so: between two messages, in their wake, after a sleep. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Result } from '../src/index.ts'
import { createTestIssuer, settle, TEST_TENANT } from '../src/testing/index.ts'

async function code(result: Result | Promise<Result>): Promise<string> {
  const settled = await result
  return settled.valid ? 'valid' : settled.code
}

test('a level that a change came after still denies, and asks nobody, in every state', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const known = await issuer.issueToken()
  const unseen = await issuer.issueToken()
  assert.equal(await code(verifier.verify(known.text)), 'valid')
  const level = issuer.revoke('tenant', TEST_TENANT)
  await settle()
  const between = await issuer.issueToken()
  const change = issuer.change('tenant', TEST_TENANT)
  await settle()
  // What the server says does not count: a restored one has forgotten the level.
  issuer.feed.beginEpoch([level, change])
  const denied = async (state: string) => {
    assert.equal(verifier.status().state, state)
    for (const whenDegraded of ['introspect', 'open'] as const)
      for (const { text } of state === 'degraded' && whenDegraded === 'introspect' ? [] : [known, unseen])
        assert.equal(
          await code(verifier.verify(text, { whenDegraded })),
          'revoked',
          `${state}, ${whenDegraded}`,
        )
    assert.equal(issuer.questions.length, 0)
  }
  await issuer.clock.advance(1_000)
  await denied('live')
  issuer.faults.feed = 'down'
  issuer.feed.breakOff()
  await issuer.clock.advance(5_000)
  await denied('stale')
  await issuer.clock.advance(30_000)
  await denied('degraded')
  // Between the two: only the change touches it, and the server is asked.
  assert.equal(await code(verifier.verify(between.text, { whenDegraded: 'open' })), 'valid')
  assert.equal(issuer.questions.length, 1)
  issuer.faults.server = 'down'
  await issuer.clock.advance(6_000)
  const untold = await issuer.issueToken({ claims: { rsn: level.seq } })
  assert.equal(await code(verifier.verify(untold.text, { whenDegraded: 'open' })), 'unavailable')
})

test('an end that a restored database has lost stays an end, though the server says otherwise', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const { id, text } = issuer.issueKey()
  assert.equal(await code(verifier.verify(text)), 'valid')
  const lost = issuer.revoke('api_key', id)
  await settle()
  issuer.feed.beginEpoch([lost])
  await issuer.clock.advance(1_000)
  assert.equal(verifier.status().state, 'live')
  for (let round = 0; round < 2; round++) assert.equal(await code(verifier.verify(text)), 'revoked')
  assert.ok(issuer.questions.length > 1, 'the server was asked, and said that it is good')
})

test('a key that went while no stream was open vouches for nothing more, nor for what is kept', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const known = await issuer.issueToken()
  const unseen = await issuer.issueToken()
  assert.equal(await code(verifier.verify(known.text)), 'valid')
  issuer.faults.feed = 'down'
  issuer.feed.breakOff()
  await settle()
  issuer.feed.setKeys([])
  issuer.faults.feed = 'up'
  await issuer.clock.advance(2_000)
  assert.equal(verifier.status().state, 'live')
  for (const { text } of [known, unseen]) assert.equal(await code(verifier.verify(text)), 'unknown')
  assert.equal(issuer.feed.requests.snapshot, 1)
  assert.equal(issuer.questions.length, 0)
})

test('no heartbeat counts as fresh that comes late and in lumps; what it says is known all the same', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const startedMs = issuer.clock.monotonicMs()
  const { id, text } = await issuer.issueToken()
  assert.equal(await code(verifier.verify(text)), 'valid')
  issuer.faults.feed = 'lumps'
  await issuer.clock.advance(5_250)
  issuer.revoke('token', id)
  for (let quarter = 0; quarter < 60; quarter++) {
    const passedMs = issuer.clock.monotonicMs() - startedMs
    const lumpAtMs = Math.floor(passedMs / 2_500) * 2_500
    const saidAtMs = Math.floor(lumpAtMs / 1_000) * 1_000
    const { state, lagMs } = verifier.status()
    assert.ok(lagMs >= passedMs - saidAtMs, `${lagMs} ms at ${passedMs}`)
    assert.equal(state === 'live', lagMs <= 3_000)
    assert.equal(await code(verifier.verify(text)), lumpAtMs > 5_250 ? 'revoked' : 'valid')
    await issuer.clock.advance(250)
  }
  assert.equal(issuer.feed.openStreams, 1)
})

test('who slept past the purge answers from nothing that was known before', async () => {
  const issuer = await createTestIssuer({ cacheSeconds: 86_400 })
  const verifier = await issuer.createLiveVerifier()
  const { id, text } = issuer.issueKey()
  assert.equal(await code(verifier.verify(text)), 'valid')
  await issuer.clock.advance(2_000)
  issuer.faults.feed = 'half-open'
  issuer.revoke('api_key', id)
  const sleeping = issuer.clock.sleep(7_200_000)
  // On waking, before a word has come.
  assert.equal(verifier.status().state, 'degraded')
  assert.equal(await code(verifier.verify(text)), 'revoked')
  await sleeping
  issuer.feed.purge()
  assert.equal(issuer.feed.rows.length, 0)
  issuer.faults.feed = 'up'
  await issuer.clock.advance(5_000)
  assert.equal(verifier.status().state, 'live')
  assert.equal(issuer.feed.requests.snapshot, 2)
})

test('a gap larger than what the server kept empties what was kept here', async () => {
  const issuer = await createTestIssuer({ cacheSeconds: 86_400 })
  const verifier = await issuer.createLiveVerifier()
  const { text } = issuer.issueKey()
  assert.equal(await code(verifier.verify(text)), 'valid')
  issuer.faults.feed = 'down'
  issuer.feed.breakOff()
  issuer.revoke('api_key', 'another')
  await issuer.clock.advance(3_700_000)
  issuer.feed.purge()
  issuer.faults.feed = 'up'
  await issuer.clock.advance(10_000)
  assert.equal(verifier.status().state, 'live')
  assert.equal(verifier.status().cachedCredentials, 0)
  assert.ok(verifier.verify(text) instanceof Promise)
})
