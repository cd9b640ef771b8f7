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
