import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DENIALS as serverDenials } from '../../server/src/kernel/denial.ts'
import { DENIALS } from '../src/denial.ts'

test('has the closed set of codes of the server, with the same statuses and sentences', () => {
  assert.deepEqual(DENIALS, serverDenials)
})
