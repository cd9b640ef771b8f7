import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BoundedCache } from '../src/bounded-cache.ts'

test('never holds more than its capacity', () => {
  const cache = new BoundedCache<number>(10)
  for (let index = 0; index < 1000; index++) {
    cache.set(String(index), index)
    cache.get(String(index))
    assert.ok(cache.size <= 10)
  }
})

test('keeps an entry that is in use through a flood of others', () => {
  const cache = new BoundedCache<number>(100)
  cache.set('mine', 1)
  for (let index = 0; index < 10_000; index++) {
    assert.equal(cache.get('mine'), 1, `after ${index} others`)
    cache.set(String(index), index)
  }
})

test('drops the oldest of the entries that nobody used', () => {
  const cache = new BoundedCache<number>(2)
  cache.set('a', 1)
  cache.set('b', 2)
  cache.set('c', 3)
  assert.deepEqual([cache.get('a'), cache.get('b'), cache.get('c')], [undefined, 2, 3])
})

test('makes room in bounded time when all entries are in use', () => {
  const cache = new BoundedCache<number>(1000)
  for (let index = 0; index < 1000; index++) cache.set(String(index), index)
  for (let index = 0; index < 1000; index++) cache.get(String(index))
  cache.set('new', 1)
  assert.equal(cache.size, 1000)
  assert.equal(cache.get('new'), 1)
})

test('replaces, deletes, and with capacity 0 keeps nothing', () => {
  const cache = new BoundedCache<number>(2)
  cache.set('a', 1)
  cache.set('a', 2)
  assert.equal(cache.size, 1)
  assert.equal(cache.get('a'), 2)
  cache.delete('a')
  assert.equal(cache.get('a'), undefined)
  const none = new BoundedCache<number>(0)
  none.set('a', 1)
  assert.equal(none.size, 0)
})
