import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 as zlibCrc32 } from 'node:zlib'
import { crc32 } from '../src/crc32.ts'
import { checksumHolds, isCredentialText, looksLikeAKey } from '../src/key-format.ts'
import { aKey } from './support/wire.ts'

test('computes the same CRC-32 as zlib', () => {
  for (const text of ['', 'a', '123456789', aKey(), 'x'.repeat(500)])
    assert.equal(crc32(text), zlibCrc32(text))
})

test('accepts the checksum of every well-formed key', () => {
  // Enough of them that some checksums need padding.
  for (let seed = 0; seed < 500; seed++)
    assert.ok(checksumHolds(aKey(seed, seed % 2 ? 'acme_live' : 'sk_test')))
})

test('refuses the checksum of a key with one wrong character, wherever it is', () => {
  const key = aKey()
  for (let index = 0; index < key.length; index++) {
    const typo = key.slice(0, index) + (key[index] === '7' ? '8' : '7') + key.slice(index + 1)
    assert.equal(checksumHolds(typo), false, typo)
  }
})

test('recognizes its own form of key and no other', () => {
  assert.ok(looksLikeAKey(aKey()))
  for (const foreign of [
    'sk_live_4eC39HqLyjWDarjtT1zdp7dc',
    `${aKey()}x`,
    aKey().slice(0, -1),
    aKey().replace('live', 'prod'),
    aKey().replace('sk', 'SK'),
    aKey(1, `${'a'.repeat(17)}_live`),
    `${aKey()}\n`,
    'legacy-0123456789',
  ])
    assert.equal(looksLikeAKey(foreign), false, foreign)
})

test('takes visible ASCII of at most 8 kB for a credential', () => {
  assert.ok(isCredentialText('a'.repeat(8192)))
  for (const text of ['', 'a'.repeat(8193), 'a b', 'a,b', 'a\nb', 'a\u0000', 'käse', 'a\u007f'])
    assert.equal(isCredentialText(text), false, JSON.stringify(text.slice(0, 20)))
})
