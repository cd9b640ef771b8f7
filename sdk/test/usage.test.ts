/** What a process reports of its own decisions: everything once, bounded, and again until it was taken. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type UsageReport, UsageReporter } from '../src/usage.ts'

const COUNTED = {
  credential: 'key_1',
  tenant: 'ten_1',
  resource: 'https://api.test',
  route: 'GET /orders',
  result: 'valid',
}

function reporter() {
  const sent: UsageReport[] = []
  const state = { fails: false, nowMs: Date.parse('2027-03-01T12:00:30Z'), ids: 0 }
  const reporting = new UsageReporter({
    async send(report) {
      sent.push(report)
      if (state.fails) throw new Error('not taken')
    },
    nowMs: () => state.nowMs,
    newId: () => `report-000000000${++state.ids}`,
  })
  return { reporting, sent, state }
}

it('reports a count for each minute, credential, route and result, and the requests', async () => {
  const { reporting, sent, state } = reporter()
  reporting.note(COUNTED, '192.0.2.1')
  reporting.note(COUNTED, '192.0.2.1')
  reporting.note({ ...COUNTED, result: 'revoked' }, undefined)
  state.nowMs += 60_000
  reporting.note(COUNTED, undefined)
  await reporting.flush()
  assert.deepEqual(
    sent[0]?.counts.map(({ minute, result, count }) => [minute, result, count]),
    [
      ['2027-03-01T12:00:00.000Z', 'valid', 2],
      ['2027-03-01T12:00:00.000Z', 'revoked', 1],
      ['2027-03-01T12:01:00.000Z', 'valid', 1],
    ],
  )
  assert.equal(sent[0]?.requests.length, 4)
  assert.equal(sent[0]?.requests[0]?.address, '192.0.2.1')
  await reporting.flush()
  assert.equal(sent.length, 1)
})

it('sends a report that was not taken again as it was, under its id, before the next', async () => {
  const { reporting, sent, state } = reporter()
  state.fails = true
  reporting.note(COUNTED, undefined)
  await reporting.flush()
  reporting.note({ ...COUNTED, route: 'other' }, undefined)
  await reporting.flush()
  state.fails = false
  await reporting.stop()
  const [first, again, third, last] = sent as [UsageReport, UsageReport, UsageReport, UsageReport]
  assert.deepEqual(again, first)
  assert.deepEqual(third, first)
  assert.equal(last.counts[0]?.route, 'other')
  assert.notEqual(last.id, first.id)
})

it('stays bounded under a flood of routes, and while nothing is taken', async () => {
  const { reporting, sent, state } = reporter()
  for (let count = 0; count < 50_000; count++) reporting.note({ ...COUNTED, route: `r${count}` }, undefined)
  await reporting.flush()
  const counts = sent.flatMap((report) => report.counts)
  assert.equal(
    counts.reduce((sum, { count }) => sum + count, 0),
    50_000,
  )
  assert.ok(counts.length <= 10_001)
  assert.ok(sent.every((report) => report.counts.length <= 500 && report.requests.length <= 500))

  sent.length = 0
  state.fails = true
  for (let round = 0; round < 200; round++) {
    reporting.note(COUNTED, undefined)
    await reporting.flush()
  }
  state.fails = false
  sent.length = 0
  await reporting.flush()
  assert.equal(sent.length, 60)
})
