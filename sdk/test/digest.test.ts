import assert from 'node:assert/strict'
import * as nodeCrypto from 'node:crypto'
import { test } from 'node:test'
import { digestOf, digestWith } from '../src/digest.ts'

const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

test('answers at once where node:crypto is there', () => {
  assert.equal(digestOf('abc'), ABC)
})

test('is the same digest with crypto.hash, with createHash of older Node, and with WebCrypto', async () => {
  assert.equal(digestWith(nodeCrypto)('abc'), ABC)
  assert.equal(digestWith({ createHash: nodeCrypto.createHash })('abc'), ABC)
  const web = digestWith(undefined)('abc')
  assert.ok(web instanceof Promise)
  assert.equal(await web, ABC)
})

test('works where a runtime forbids what it seems to have', async (t) => {
  t.mock.method(process, 'getBuiltinModule', () => {
    throw new Error('A Node.js API is used which is not supported in the Edge Runtime.')
  })
  const fresh = '../src/digest.ts?edge'
  const { digestOf } = (await import(fresh)) as typeof import('../src/digest.ts')
  assert.equal(await digestOf('abc'), ABC)
})
