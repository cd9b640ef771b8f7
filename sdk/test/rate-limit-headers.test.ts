import assert from 'node:assert/strict'
import { it } from 'node:test'
import { rateLimitHeaders } from '../src/rate-limit-headers.ts'

it('writes a policy and what is left of it for each limit', () => {
  assert.deepEqual(
    rateLimitHeaders([
      { name: 'per-second', type: 'rate', limit: 100, windowSeconds: 1, remaining: 37, resetSeconds: 1 },
      { name: 'daily', type: 'quota', limit: 10_000, period: 'day', remaining: 0, resetSeconds: 3_600 },
    ]),
    {
      'ratelimit-policy': '"per-second";q=100;w=1, "daily";q=10000;w=86400',
      ratelimit: '"per-second";r=37;t=1, "daily";r=0;t=3600',
    },
  )
})

it('writes nothing where there are no limits', () => {
  assert.deepEqual(rateLimitHeaders([]), {})
})

it('tells limits of one name apart, and lets no name break out of its string', () => {
  const state = { type: 'rate', limit: 1, windowSeconds: 60, remaining: -1, resetSeconds: 0.5 } as const
  const { ratelimit } = rateLimitHeaders([
    { ...state, name: 'r' },
    { ...state, name: 'r' },
    { ...state, name: 'a";q=9\n' },
  ])
  assert.equal(ratelimit, '"r";r=0;t=1, "r-2";r=0;t=1, "a\\";q=9?";r=0;t=1')
})
