/** What a holder of leases decides by itself, what it asks about, and what it tells the server. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { LeaseHolder, type LeaseAnswer, type LeaseWish } from '../src/leases.ts'

const LEASED = { bucket: 'key:k:r', enforcement: 'leased' } as const
const OTHER = { bucket: 'tenant:t:r', enforcement: 'leased' } as const
const STRICT = { bucket: 'key:k:exact', enforcement: 'strict' } as const

/** Grants what is wanted, up to `most` in all of a lease. */
function server(most = 100) {
  const sent: LeaseWish[][] = []
  const state = { nowMs: 10_000, fails: false, strict: false }
  const send = async (wishes: readonly LeaseWish[]): Promise<LeaseAnswer[]> => {
    sent.push([...wishes])
    if (state.fails) throw new Error('no answer')
    return wishes.map(({ bucket, lease, granted, want }) =>
      state.strict
        ? { bucket, strict: true }
        : {
            bucket,
            strict: false,
            lease: lease ?? `lease-${sent.length}`,
            granted: Math.min(most, granted + want),
          },
    )
  }
  const holder = new LeaseHolder({ send, nowMs: () => state.nowMs })
  return { holder, sent, state }
}

it('asks until it holds a lease, then decides by itself, and refuses what goes beyond', async () => {
  const { holder, state } = server(3)
  assert.deepEqual(holder.decide([LEASED], 1), { kind: 'ask', reserved: [], leases: [], isPending: true })
  for (let count = 0; count < 5; count++) holder.decide([LEASED], 1)
  await holder.renew()
  state.nowMs += 10
  const kinds = Array.from({ length: 4 }, () => holder.decide([LEASED], 1).kind)
  assert.deepEqual(kinds, ['admitted', 'admitted', 'admitted', 'refused'])
})

it('uses a lease for a second from sending the request for it, and no longer', async () => {
  const { holder, state } = server()
  holder.decide([LEASED], 1)
  const renewed = holder.renew()
  state.nowMs += 900
  await renewed
  assert.equal(holder.decide([LEASED], 1).kind, 'admitted')
  state.nowMs += 100
  assert.equal(holder.decide([LEASED], 1).kind, 'ask')
})

it('charges nothing when one of several limits refuses', async () => {
  const { holder, sent } = server(2)
  holder.decide([LEASED, OTHER], 2)
  await holder.renew()
  assert.equal(holder.decide([LEASED], 1).kind, 'admitted')
  assert.deepEqual(holder.decide([OTHER, LEASED], 2), { kind: 'refused', bucket: LEASED.bucket })
  await holder.renew()
  assert.deepEqual(
    sent[1]?.map(({ bucket, spent }) => [bucket, spent]),
    [
      [LEASED.bucket, 1],
      [OTHER.bucket, 0],
    ],
  )
})

it('reserves what it holds, asks about the strict rest, and takes back what was refused there', async () => {
  const { holder } = server(1)
  holder.decide([LEASED], 1)
  await holder.renew()
  const decision = holder.decide([LEASED, STRICT], 1)
  assert.deepEqual(decision, {
    kind: 'ask',
    reserved: [LEASED.bucket],
    leases: ['lease-1'],
    isPending: false,
  })
  assert.equal(holder.decide([LEASED], 1).kind, 'refused')
  holder.refund(decision, 1)
  assert.equal(holder.decide([LEASED], 1).kind, 'admitted')
})

it('says the same numbers again when there was no answer, and gives back what it does not need', async () => {
  const { holder, sent, state } = server()
  for (let count = 0; count < 40; count++) holder.decide([LEASED], 1)
  await holder.renew()
  for (let count = 0; count < 5; count++) assert.equal(holder.decide([LEASED], 1).kind, 'admitted')
  state.fails = true
  await holder.renew()
  await holder.renew()
  state.fails = false
  const [, second, third] = sent.map(([wish]) => wish as LeaseWish)
  assert.equal(second?.spent, 5)
  assert.equal(third?.spent, 5)
  assert.ok((third?.returned ?? 0) > 0)
  await holder.stop()
  const last = sent.at(-1) as LeaseWish[]
  const { granted, spent, returned } = last[0] as LeaseWish
  assert.equal(granted - spent - returned, 0)
})

it('asks for a while where the server leases nothing', async () => {
  const { holder, sent, state } = server()
  state.strict = true
  holder.decide([LEASED], 1)
  await holder.renew()
  holder.decide([LEASED], 1)
  await holder.renew()
  assert.equal(sent.length, 1)
  state.nowMs += 5_000
  assert.equal(holder.decide([LEASED], 1).kind, 'ask')
  await holder.renew()
  assert.equal(sent.length, 2)
})

it('takes nothing back into a lease that began after the charge', async () => {
  const { holder, state } = server(1)
  holder.decide([LEASED], 1)
  await holder.renew()
  const decision = holder.decide([LEASED, STRICT], 1)
  assert.equal(decision.kind, 'ask')
  state.nowMs += 1_000
  await holder.renew()
  assert.equal(holder.decide([LEASED], 1).kind, 'admitted')
  // What was charged to the first lease was lost with it.
  holder.refund(decision, 1)
  assert.equal(holder.decide([LEASED], 1).kind, 'refused')
})
