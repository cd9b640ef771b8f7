import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ASK, DenyTable, ENDED, OLDER, PRINT_LENGTH } from '../src/feed/deny-table.ts'
import { fingerprint } from '../src/feed/fingerprint.ts'

const row = (kind: string, key: string, effect: string, seq: number, dropAfterMs = 1e12) => ({
  kind,
  key,
  effect,
  seq,
  dropAfterMs,
})

test('makes the fingerprints of SipHash-2-4-128', () => {
  const out = new Int32Array(3)
  for (const [length, expected] of [
    [0, 'a3817f04ba25a8e66df67214'],
    [2, '8177228da4a45dc7fca38bde'],
  ] as const) {
    const units = Array.from({ length: length / 2 }, (_, index) => (index * 2) | ((index * 2 + 1) << 8))
    fingerprint([0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c], String.fromCharCode(...units), out, 0)
    assert.equal(Buffer.from(out.buffer).toString('hex'), expected)
  }
})

test('finds each of 100,000 rows, at 40 bytes a row at most, and nothing else', () => {
  const table = new DenyTable()
  for (let index = 0; index < 100_000; index++) table.note(row('token', `tok_${index}`, 'revoked', index))
  assert.equal(table.size, 100_000)
  assert.ok(table.bytes / table.size <= 40, `${table.bytes / table.size} bytes a row`)
  for (let index = 0; index < 100_000; index += 7)
    assert.equal(table.forceOver(table.fingerprintsOf([`token:tok_${index}`]), 1e15), ENDED)
  for (let index = 0; index < 10_000; index++)
    assert.equal(table.forceOver(table.fingerprintsOf([`token:other_${index}`]), 0), 0)
})

test('stays as large as what is in force, looking at a part at a time', () => {
  const table = new DenyTable()
  let largest = 0
  for (let second = 0; second < 600; second++) {
    for (let index = 0; index < 50; index++)
      table.note(row('token', `${second}-${index}`, 'revoked', second * 50 + index, (second + 100) * 1000))
    table.purge(second * 1000)
    largest = Math.max(largest, table.size)
  }
  assert.ok(largest <= 110 * 50, `${largest} rows`)
  for (let turn = 0; turn < 32; turn++) table.purge(1e9)
  assert.equal(table.size, 0)
  assert.equal(table.forceOver(table.fingerprintsOf(['token:599-1']), 0), 0)
})

test('finds every row that stays, and none that went, whichever go', () => {
  const table = new DenyTable()
  const goes = (index: number) => (index * 7919) % 10 < 6
  for (let index = 0; index < 30_000; index++)
    table.note(row('token', `tok_${index}`, 'revoked', index + 1, goes(index) ? 1_000 : 1e12))
  const { bytes } = table
  for (let turn = 0; turn < 64; turn++) table.purge(10_000)
  assert.equal(table.size, 12_000)
  assert.ok(table.bytes < bytes)
  for (let index = 0; index < 30_000; index++)
    assert.equal(
      table.forceOver(table.fingerprintsOf([`token:tok_${index}`]), 1e15),
      goes(index) ? 0 : ENDED,
      `tok_${index}`,
    )
  for (let index = 0; index < 30_000; index++)
    table.note(row('token', `tok_${index}`, 'revoked', 40_000 + index, 1e12))
  assert.equal(table.size, 30_000)
})

test('takes no end back, and forgets no level for what is milder, in whichever order they come', () => {
  const table = new DenyTable()
  const over = (ref: string, rsn: number) => table.forceOver(table.fingerprintsOf([ref]), rsn)
  table.note(row('tenant', 't', 'deleted', 10))
  table.note(row('tenant', 't', 'changed', 20))
  assert.equal(over('tenant:t', 1e15), ENDED)
  table.note(row('subject', 's', 'revoked', 10))
  assert.deepEqual([over('subject:s', 9), over('subject:s', 10)], [OLDER, 0])
  table.note(row('subject', 's', 'changed', 20))
  const about = [9, 10, 19, 20].map((rsn) => over('subject:s', rsn))
  assert.deepEqual(about, [OLDER, ASK, ASK, 0])
  table.note(row('tenant', 'u', 'changed', 20))
  table.note(row('tenant', 'u', 'revoked', 10))
  assert.deepEqual([over('tenant:u', 9), over('tenant:u', 10), over('tenant:u', 20)], [OLDER, ASK, 0])
  table.note(row('tenant', 'u', 'revoked', 30))
  table.note(row('tenant', 'u', 'changed', 40))
  assert.deepEqual([over('tenant:u', 29), over('tenant:u', 30), over('tenant:u', 40)], [OLDER, ASK, 0])
  // Of several names the strictest counts, wherever it stands.
  const all = table.fingerprintsOf(['subject:s', 'tenant:u', 'tenant:t'])
  assert.deepEqual(
    [table.forceOver(all.slice(0, 2 * PRINT_LENGTH), 25), table.forceOver(all, 1e15)],
    [OLDER, ENDED],
  )
  table.note(row('limit', 's', 'changed', 30))
  assert.equal(over('limit:s', 0), ASK)
})
