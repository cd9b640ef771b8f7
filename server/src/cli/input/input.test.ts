import assert from 'node:assert/strict'
import { it } from 'node:test'
import { durationSeconds, parseDuration } from './duration.ts'
import { addMetadata } from './metadata.ts'
import { parseScope } from './scope-option.ts'
import { parseExpiry, parseTime } from './time.ts'

const NOW = Date.parse('2027-01-15T12:00:00Z')

it('reads durations', () => {
  assert.deepEqual(
    ['30d', '12h', '90m', '3600s', '1d12h', '2w', '0s'].map(durationSeconds),
    [2_592_000, 43_200, 5_400, 3_600, 129_600, 1_209_600, 0],
  )
})

it('refuses what is not a duration', () => {
  for (const text of ['', '30', 'd', '-1d', '1.5h', '30 d', '1y', '1000000000000d', '30d!'])
    assert.throws(() => parseDuration(text), /Expected a duration/, text)
})

it('reads times, relative ones by the clock it is given', () => {
  assert.equal(parseTime('in 30d', NOW), '2027-02-14T12:00:00.000Z')
  assert.equal(parseTime('36h ago', NOW), '2027-01-14T00:00:00.000Z')
  assert.equal(parseTime('now', NOW), '2027-01-15T12:00:00.000Z')
  assert.equal(parseTime('2027-01-31', NOW), '2027-01-31T00:00:00.000Z')
  assert.equal(parseTime('2027-01-31T12:00:00+02:00', NOW), '2027-01-31T10:00:00.000Z')
  assert.equal(parseTime('2028-02-29T00:00:00Z', NOW), '2028-02-29T00:00:00.000Z')
})

it('refuses times that do not exist or have no offset', () => {
  for (const text of [
    '2027-02-31',
    '2027-01-31T12:00:00',
    '2027-13-01',
    'tomorrow',
    '1',
    '',
    'in',
    'in 5',
    '30d later',
  ])
    assert.throws(() => parseTime(text, NOW), /Expected a time/, text)
})

it('asks which way a bare duration goes, where it is a time', () => {
  assert.throws(() => parseTime('90d', NOW), /Say "90d ago" or "in 90d"/)
})

it('leaves the end of a credential to the clock of the server, unless a time was given', () => {
  assert.deepEqual(parseExpiry('30d', NOW), { expires_in_seconds: 2_592_000 })
  assert.deepEqual(parseExpiry('in 30d', NOW), { expires_in_seconds: 2_592_000 })
  assert.deepEqual(parseExpiry('never', NOW), { expires_at: null })
  assert.deepEqual(parseExpiry('2028-01-01', NOW), { expires_at: '2028-01-01T00:00:00.000Z' })
})

it('gathers metadata, and lets values hold equal signs', () => {
  assert.deepEqual(addMetadata('a=b=c', { plan: 'gold' }), { plan: 'gold', a: 'b=c' })
  assert.deepEqual(addMetadata('{"seats":5}'), { seats: 5 })
  for (const text of ['plan', '=gold', '{"a":', '{broken}'])
    assert.throws(() => addMetadata(text), /Expected|JSON/, text)
})

it('divides a scope from its description at the equal sign, since scopes hold colons', () => {
  assert.deepEqual(parseScope('orders:read=Read orders'), { name: 'orders:read', description: 'Read orders' })
  assert.deepEqual(parseScope('orders:read'), { name: 'orders:read', description: '' })
  for (const text of ['', '=Read', 'two words'])
    assert.throws(() => parseScope(text), /Expected a scope/, text)
})
