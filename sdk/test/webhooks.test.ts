/** Receiving webhooks: what the reference library signs is taken, and nothing else is. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { verifyWebhook } from '../src/webhooks.ts'

const secret = `whsec_${randomBytes(32).toString('base64')}`
const other = `whsec_${randomBytes(32).toString('base64')}`
const body = JSON.stringify({
  type: 'api_key.leaked',
  timestamp: '2027-03-01T12:00:00.000Z',
  data: { api_key: 'key_1', name: 'schlüssel' },
})

function signed(text = body, by = secret, at = new Date()) {
  return {
    'webhook-id': 'evt_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(by).sign('evt_1', at, text),
  }
}
const codeOf = async (...words: Parameters<typeof verifyWebhook>): Promise<string> => {
  const result = await verifyWebhook(...words)
  return result.valid ? 'valid' : result.code
}

test('takes what the reference library signed, from text, bytes, Headers and a record', async () => {
  assert.deepEqual(await verifyWebhook(body, signed(), secret), {
    valid: true,
    event: { id: 'evt_1', ...JSON.parse(body) },
  })
  assert.equal(await codeOf(Buffer.from(body), new Headers(signed()), secret), 'valid')
})

test('takes one of several signatures and one of several secrets, as in a rotation', async () => {
  const at = new Date()
  const [mine, theirs] = [signed(body, secret, at), signed(body, other, at)]
  const both = {
    ...mine,
    'webhook-signature': `v2,abc v1,!!! ${theirs['webhook-signature']} ${mine['webhook-signature']}`,
  }
  assert.equal(await codeOf(body, both, secret), 'valid')
  assert.equal(await codeOf(body, both, other), 'valid')
  assert.equal(await codeOf(body, mine, [other, secret]), 'valid')
})

test('refuses another secret, body, id, time or version', async () => {
  const good = signed()
  assert.equal(await codeOf(body, good, other), 'wrong_signature')
  assert.equal(await codeOf(`${body} `, good, secret), 'wrong_signature')
  assert.equal(await codeOf(body, { ...good, 'webhook-id': 'evt_2' }, secret), 'wrong_signature')
  const later = String(Number(good['webhook-timestamp']) + 1)
  assert.equal(await codeOf(body, { ...good, 'webhook-timestamp': later }, secret), 'wrong_signature')
  const asymmetric = good['webhook-signature'].replace('v1,', 'v1a,')
  assert.equal(await codeOf(body, { ...good, 'webhook-signature': asymmetric }, secret), 'wrong_signature')
  // Beyond what anybody sends: the work is bounded.
  const many = `${'v1,AAAA '.repeat(500)}${good['webhook-signature']}`
  assert.equal(await codeOf(body, { ...good, 'webhook-signature': many }, secret), 'wrong_signature')
})

test('refuses what is old, what is from the future, and what lacks a header', async () => {
  const nowMs = Date.parse('2027-03-01T12:00:00Z')
  const at = (offsetMs: number) => signed(body, secret, new Date(nowMs + offsetMs))
  const now = () => nowMs
  assert.equal(await codeOf(body, at(-299_000), secret, { now }), 'valid')
  assert.equal(await codeOf(body, at(-301_000), secret, { now }), 'too_old')
  assert.equal(await codeOf(body, at(301_000), secret, { now }), 'from_the_future')
  assert.equal(await codeOf(body, at(-301_000), secret, { now, toleranceSeconds: 600 }), 'valid')
  for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const) {
    const { [name]: _, ...rest } = signed()
    assert.equal(await codeOf(body, rest, secret), 'missing_headers')
  }
  assert.equal(await codeOf(body, { ...signed(), 'webhook-timestamp': '1e9' }, secret), 'missing_headers')
})

test('refuses what is signed but no event', async () => {
  for (const text of ['', 'null', '[]', '{"type":1}', '{"type":"a","timestamp":"b"}', 'not JSON'])
    assert.equal(await codeOf(text, signed(text), secret), 'not_an_event')
})

test('throws for a secret that is none, whatever was received', async () => {
  for (const wrong of ['', 'whsec_', 'whsec_!!', randomBytes(32).toString('base64'), []])
    await assert.rejects(verifyWebhook(body, signed(), wrong as string), TypeError)
})
