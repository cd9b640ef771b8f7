import assert from 'node:assert/strict'
import { test } from 'node:test'
import { internedList, internedWord } from '../src/interned.ts'

test('holds equal lists once, frozen, and never takes one for another', () => {
  const list = internedList(['orders:read', 'orders:write'])
  assert.equal(internedList(['orders:read', 'orders:write']), list)
  assert.ok(Object.isFrozen(list))
  const lists = [['a b'], ['a', 'b'], ['a b'], ['a', 'b'], ['b', 'a'], [], [''], ['', ''], ['a b', '']]
  for (const words of lists) assert.deepEqual(internedList(words), words)
})

test('stays right beyond what it holds', () => {
  for (let index = 0; index < 5_000; index++) {
    assert.deepEqual(internedList([`role-${index}`]), [`role-${index}`])
    assert.equal(internedWord(`tenant-${index}`), `tenant-${index}`)
  }
  const long = 'x'.repeat(5_000)
  assert.equal(internedWord(long), long)
  assert.deepEqual(internedList([long, 'a']), [long, 'a'])
})
