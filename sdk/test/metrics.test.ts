/** What a service can count: the hook for each decision, and the counters of `status()`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Result } from '../src/index.ts'
import { createTestIssuer, settle } from '../src/testing/index.ts'

test('tells a hook of each decision before its caller has it, and counts without one', async () => {
  const issuer = await createTestIssuer()
  const told: Result[] = []
  const verifier = await issuer.createLiveVerifier({ onDecision: (result) => told.push(result) })
  const { id, text } = await issuer.issueToken({ scopes: ['orders:read'] })
  const key = issuer.issueKey()
  const first = verifier.verify(text)
  assert.deepEqual(told, [first])
  for (const [request, options] of [
    [text, {}],
    [text, { scopes: 'orders:write' }],
    [key.text, {}],
    [{ url: '/', headers: {} }, {}],
    [{ url: `/?key=${key.text}`, headers: {} }, {}],
  ] as const) {
    const result = await verifier.verify(request, options)
    assert.equal(told.at(-1), result)
  }
  issuer.revoke('token', id)
  await settle()
  await verifier.verify(text)
  assert.equal(told.length, 7)
  const { state, lagMs, hits, misses, asked, denials, denyRows } = verifier.status()
  assert.deepEqual(
    { state, lagMs, hits, misses, asked, denyRows },
    {
      state: 'live',
      lagMs: 0,
      hits: 2,
      misses: 2,
      asked: 1,
      denyRows: 1,
    },
  )
  assert.deepEqual(denials, { insufficient_scope: 1, missing: 1, exposed_in_url: 1, revoked: 1 })
})

test('answers all the same when the hook throws, at once and later', async () => {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier({
    onDecision() {
      throw new Error('metrics')
    },
  })
  const { text } = issuer.issueKey()
  assert.equal((await verifier.verify(text)).valid, true)
  assert.equal((verifier.verify(text) as Result).valid, true)
  assert.equal((await verifier.verify('')).valid, false)
})
