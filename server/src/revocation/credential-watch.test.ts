/** Followers by their credential: bounded, and ended when a check says so, never when nobody can be asked. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Authenticate, type Caller, denial, type Denial, PosternError } from '../kernel/index.ts'
import { CredentialWatch } from './credential-watch.ts'

const CALLER: Caller = { type: 'operator', id: 'key_1', tenant: null, scopes: ['verify'], resources: null }
const requestOf = (key: string, ip = '127.0.0.1') => ({
  headers: { authorization: `Bearer ${key}`, cookie: 'not kept' },
  url: '/v1/feed/stream?after=1',
  method: 'GET',
  ip,
})
const never = (): void => assert.fail('it was ended')

it('refuses more followers than a credential, or the process, may have, and takes one again when one has gone', () => {
  const watch = new CredentialWatch(() => CALLER, { perCredential: 2, inAll: 3 })
  const isFull = (error: unknown): boolean =>
    error instanceof PosternError &&
    error.code === 'too_many_requests' &&
    Number(error.members.retryAfterSeconds) > 0
  const letGo = watch.hold(requestOf('a'), never)
  watch.hold(requestOf('a'), never)
  assert.throws(() => watch.hold(requestOf('a'), never), isFull)
  watch.hold(requestOf('b'), never)
  assert.throws(() => watch.hold(requestOf('c'), never), isFull)
  assert.equal(watch.count, 3)
  letGo()
  letGo()
  assert.equal(watch.count, 2)
  watch.hold(requestOf('a'), never)
  assert.equal(watch.count, 3)
})

it('asks once for all followers of one credential from one address, and ends just those that it concerns', () => {
  const dead = new Set<string>()
  const asked: string[] = []
  const authenticate: Authenticate = ({ headers, ip }) => {
    const who = `${String(headers['authorization'])} ${ip}`
    asked.push(who)
    assert.ok(!('cookie' in headers))
    return dead.has(who) ? denial('revoked') : CALLER
  }
  const watch = new CredentialWatch(authenticate)
  const ended: string[] = []
  watch.hold(requestOf('a'), (code) => ended.push(`1 ${code}`))
  watch.hold(requestOf('a'), (code) => ended.push(`2 ${code}`))
  watch.hold(requestOf('a', '192.0.2.1'), never)
  watch.hold(requestOf('b'), never)
  watch.check()
  assert.equal(asked.length, 3)
  dead.add('Bearer a 127.0.0.1')
  watch.check()
  assert.deepEqual(ended, ['1 revoked', '2 revoked'])
})

it('ends who lost the scope, and nobody while the database cannot be asked', async () => {
  let answer: () => Caller | Denial | Promise<Caller | Denial> = () => CALLER
  const watch = new CredentialWatch(() => answer())
  const ended: string[] = []
  watch.hold(requestOf('a'), (code) => ended.push(code))
  answer = () => Promise.reject(new PosternError('storage_unavailable', 'away'))
  watch.check()
  await new Promise((resolve) => setImmediate(resolve))
  answer = () => {
    throw new PosternError('storage_unavailable', 'away')
  }
  watch.check()
  assert.deepEqual(ended, [])
  answer = () => Promise.resolve({ ...CALLER, scopes: ['keys:read'] })
  watch.check()
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(ended, ['insufficient_scope'])
})
