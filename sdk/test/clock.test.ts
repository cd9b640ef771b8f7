import assert from 'node:assert/strict'
import { test } from 'node:test'
import { steadyClock } from '../src/clock.ts'

/** Both clocks, moved by hand; how often the running one was read. */
function twoClocks() {
  const at = { wallMs: 1_000_000, runningMs: 500, reads: 0 }
  const clock = steadyClock(
    () => at.wallMs,
    () => {
      at.reads++
      return at.runningMs
    },
  )
  const pass = (ms: number): number => {
    at.wallMs += ms
    at.runningMs += ms
    return clock()
  }
  return { at, clock, pass }
}

test('runs with the time that passes', () => {
  const { clock, pass } = twoClocks()
  const start = clock()
  for (const ms of [1, 49, 50, 51, 0, 900, 3_600_000, 7]) pass(ms)
  assert.equal(clock() - start, 1 + 49 + 50 + 51 + 900 + 3_600_000 + 7)
})

test('counts the time that a machine slept, at the first look', () => {
  const { at, clock, pass } = twoClocks()
  const start = clock()
  pass(10)
  at.wallMs += 3_600_000
  assert.equal(clock() - start, 3_600_010)
})

test('takes no time away when the wall clock is set back, and loses none after it', () => {
  const { at, clock, pass } = twoClocks()
  const start = clock()
  pass(30)
  at.wallMs -= 3_600_000
  assert.equal(clock() - start, 30)
  pass(40)
  at.wallMs -= 20
  assert.ok(clock() - start >= 70)
  assert.equal(pass(5_000) - start, 5_070)
})

test('never goes back, whatever the wall clock does', () => {
  const { at, clock } = twoClocks()
  let latest = clock()
  for (let turn = 0; turn < 10_000; turn++) {
    at.runningMs += turn % 3
    at.wallMs += [0, 1, 40, -5, 900, -900, 30, 49, -39][turn % 9] as number
    const now = clock()
    assert.ok(now >= latest)
    latest = now
  }
})

test('is never far from the running clock while the wall clock is slowed or hurried', () => {
  for (const rate of [0, 0.5, 2]) {
    const { at, clock } = twoClocks()
    const start = clock()
    for (let turn = 0; turn < 60_000; turn++) {
      at.runningMs += 1
      at.wallMs += rate
      assert.ok(Math.abs(clock() - start - (turn + 1)) <= 50, `${rate}: ${clock() - start} after ${turn + 1}`)
    }
  }
})

test('reads the running clock once in a while', () => {
  const { at, pass } = twoClocks()
  at.reads = 0
  for (let turn = 0; turn < 1_000; turn++) pass(1)
  assert.ok(at.reads <= 1_000 / 50)
})
