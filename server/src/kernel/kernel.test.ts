/** The shared words: what each takes, and what it refuses. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { crc32 } from 'node:zlib'
import { TestClock } from '../../test/deployment.ts'
import {
  ALPHABET,
  coarseNetwork,
  deriveKey,
  encodeBase62,
  inCidrs,
  isId,
  isScope,
  keysInUrl,
  missingScopes,
  newId,
  open,
  parseAddress,
  parseCidrs,
  randomBase62,
  redactCredentials,
  seal,
} from './index.ts'

it('base62 text of one width sorts as its numbers do, and random text uses the whole alphabet', () => {
  const numbers = [0, 1, 61, 62, 3_843, 3_844, 2 ** 32, 2 ** 47 - 1]
  const texts = numbers.map((number) => encodeBase62(number, 9))
  assert.deepEqual(texts.toSorted(), texts)
  assert.equal(encodeBase62(61, 2), '0z')
  const drawn = randomBase62(20_000)
  assert.equal(drawn.length, 20_000)
  const counts = [...ALPHABET].map((letter) => drawn.split(letter).length - 1)
  // 323 on average; further away than eight standard deviations would be a bias.
  for (const count of counts) assert.ok(Math.abs(count - 20_000 / 62) < 8 * Math.sqrt(20_000 / 62))
})

it('ids sort by creation, and an id of another kind is none', () => {
  const clock = new TestClock()
  const ids = Array.from({ length: 50 }, () => {
    clock.advance(1)
    return newId('key', clock)
  })
  assert.deepEqual(ids.toSorted(), ids)
  const [id] = ids as [string]
  assert.ok(isId('key', id))
  for (const other of [id.slice(1), `${id}0`, id.replace('key_', 'ten_'), `${id}\n`, id.replace('_', '-')])
    assert.equal(isId('key', other), false, other)
})

it('sealed text opens with the same key and context alone, whole alone', () => {
  const key = deriveKey('secret', 'a purpose')
  assert.notDeepEqual(key, deriveKey('secret', 'another purpose'))
  const sealed = seal(key, 'text', 'context')
  assert.equal(open(key, sealed, 'context').toString(), 'text')
  assert.notEqual(seal(key, 'text', 'context'), sealed)
  assert.throws(() => open(key, sealed, 'another'))
  assert.throws(() => open(deriveKey('other', 'a purpose'), sealed, 'context'))
  const bytes = Buffer.from(sealed, 'base64url')
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] as number) ^ 1
    assert.throws(() => open(key, changed.toString('base64url'), 'context'), `byte ${at}`)
  }
  for (const cut of [0, 1, 12, 27])
    assert.throws(() => open(key, bytes.subarray(0, cut).toString('base64url'), 'context'))
})

it('addresses have one reading, or none', () => {
  for (const text of ['192.0.2.1', '::1', '2001:db8::', '::ffff:192.0.2.1', '2001:DB8::A'])
    assert.ok(parseAddress(text), text)
  for (const text of [
    '',
    '127.1',
    '0x7f.0.0.1',
    '010.0.0.1',
    '2130706433',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    ':::',
    '1.2.3.4/8',
    'x'.repeat(100),
  ])
    assert.equal(parseAddress(text), undefined, text)
  const list = parseCidrs(['10.0.0.0/8', '2001:db8::/32'])
  assert.ok(inCidrs('::ffff:10.1.2.3', list) && inCidrs('2001:db8:ffff::1', list))
  assert.ok(!inCidrs('11.0.0.1', list) && !inCidrs('not one', list) && !inCidrs('::a00:1', list))
  for (const block of [
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/+8',
    '10.0.0.0/ 8',
    '10.0.0.0/8/8',
    '10.0.0.0/1e1',
    '/8',
  ])
    assert.throws(() => parseCidrs([block]), block)
  assert.deepEqual(['192.0.2.77', '::ffff:192.0.2.77', '2001:db8:1:2:3::4', 'nonsense'].map(coarseNetwork), [
    '192.0.2.0/24',
    '192.0.2.0/24',
    '2001:db8:1::/48',
    'unknown',
  ])
})

it('scopes are tokens of RFC 6749, and missing ones are named in order', () => {
  for (const scope of ['a', 'orders:read', '!', '~', 'x'.repeat(128)]) assert.ok(isScope(scope), scope)
  for (const scope of ['', 'a b', 'a"', 'a\\', 'ä', 'x'.repeat(129), 'a\n']) assert.ok(!isScope(scope), scope)
  assert.deepEqual(missingScopes(['a', 'b'], ['c', 'a', 'd']), ['c', 'd'])
})

it('credentials are cut out of any text, and whole keys are found in a URL', () => {
  const body = `sk_live_${'A'.repeat(44)}`
  const key = body + encodeBase62(crc32(body), 6)
  const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl'
  for (const text of [
    `x ${key} y`,
    `{"key":"${key}"}`,
    `Authorization: Bearer ${key}`,
    `authorization: bearer abcdefgh12345678`,
    `/v1?k=${key}#${key}`,
    jwt,
    `key=${key}, other=${key}`,
  ]) {
    const redacted = redactCredentials(text)
    for (const secret of [key.slice(8), 'eyJzdWIi', 'abcdefgh12345678'])
      assert.ok(!redacted.includes(secret), redacted)
  }
  assert.equal(redactCredentials(`x ${key}`), 'x sk_live_[redacted]')
  assert.equal(redactCredentials('nothing here: sk_live'), 'nothing here: sk_live')
  assert.deepEqual(keysInUrl(`/a?k=${key}&l=${key.replaceAll('_', '%5f')}`), [key, key])
  assert.equal(keysInUrl(`/?${`k=${key}&`.repeat(50)}`).length, 4)
  assert.deepEqual(keysInUrl('/a?k=sk_live_abc'), [])
})
