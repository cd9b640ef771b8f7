import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import { deleteTenant, createTenant } from '../tenants/index.ts'
import { purgeIdentity, tenantsOf } from './index.ts'
import { openTestIdentity, OPERATOR, PASSWORD, type TestIdentity } from './test-identity.ts'

onBothDatabases('users', (fresh) => {
  let test: TestIdentity
  before(async () => (test = await openTestIdentity(await fresh())))
  after(() => test.close())

  const created = async (body: object): Promise<{ id: string } & Record<string, unknown>> => {
    const answer = await test.manage('POST', '/v1/users', body)
    assert.equal(answer.statusCode, 201, answer.body)
    return answer.json()
  }
  /** What `work` put into the feed and the audit chain. */
  const written = async (work: () => Promise<unknown>): Promise<{ feed: string[]; audited: string[] }> => {
    const [feed, audited] = [await test.feed(), await test.audited()]
    await work()
    return {
      feed: (await test.feed()).slice(feed.length),
      audited: (await test.audited()).slice(audited.length),
    }
  }

  it('creates a user, answers it without any trace of a password, and audits it', async () => {
    let user: Record<string, unknown> = {}
    const { feed, audited } = await written(async () => {
      user = await created({ username: 'Ada', email: 'Ada@Example.com', name: 'Ada', metadata: { team: 1 } })
    })
    assert.deepEqual([feed, audited], [[], ['user.created']])
    assert.match(String(user['id']), /^usr_/)
    assert.equal(user['username'], 'Ada')
    assert.equal(user['has_password'], false)
    assert.deepEqual((await test.manage('GET', `/v1/users/${String(user['id'])}`)).json(), user)
  })

  for (const [name, body] of [
    ['a username in another case', { username: 'aDA' }],
    ['an e-mail address in another case', { email: 'ada@EXAMPLE.com' }],
  ] as const)
    it(`refuses ${name} that another user has`, async () => {
      assert.equal((await test.manage('POST', '/v1/users', body)).json().code, 'conflict')
    })

  it('tells two mailboxes apart that only full case rules would join', async () => {
    await created({ email: 'sam@example.org' })
    await created({ email: 'ſam@example.org' })
    await created({ email: 'info@bücher.example' })
    assert.equal(
      (await test.manage('POST', '/v1/users', { email: 'info@xn--bcher-kva.example' })).statusCode,
      409,
    )
  })

  for (const [fault, body, pointer] of [
    ['neither username nor e-mail address', { name: 'Nobody' }, '/username'],
    ['a username with an @', { username: 'a@b' }, '/username'],
    ['a username with a look-alike letter', { username: 'аda' }, '/username'],
    ['an e-mail address without a domain', { email: 'ada@' }, '/email'],
    ['an e-mail address with two lines', { email: 'ada@example.com\r\nBcc: x' }, '/email'],
    ['an e-mail address with a comment', { email: 'ada(x)@example.com' }, '/email'],
    ['metadata of more than 4 kB', { username: 'big', metadata: { x: 'y'.repeat(5_000) } }, '/metadata'],
    ['a member that is not known', { username: 'odd', pasword: 'x' }, ''],
  ] as const)
    it(`refuses ${fault}`, async () => {
      const answer = await test.manage('POST', '/v1/users', body)
      assert.equal(answer.statusCode, 400)
      if (pointer !== '') assert.equal(answer.json().errors[0].pointer, pointer)
    })

  it('answers a repeated creation with the first user', async () => {
    const send = () =>
      test.server.inject({
        method: 'POST',
        url: '/v1/users',
        headers: { authorization: 'deployment', 'idempotency-key': 'once' },
        payload: { username: 'repeated' },
      })
    assert.equal((await send()).body, (await send()).body)
  })

  it('changes what it is told to and leaves the rest', async () => {
    const { id } = await created({ username: 'grace', email: 'grace@example.com', name: 'Grace' })
    const answer = await test.manage('PATCH', `/v1/users/${id}`, { email: null, name: 'Grace H.' })
    const { username, email, name } = answer.json()
    assert.deepEqual({ username, email, name }, { username: 'grace', email: null, name: 'Grace H.' })
    assert.equal((await test.manage('PATCH', `/v1/users/${id}`, { username: null })).statusCode, 400)
    assert.equal((await test.manage('PATCH', `/v1/users/${id}`, { username: 'ada' })).statusCode, 409)
  })

  it('ends sessions and tokens by a level when a user is disabled, once', async () => {
    const { id } = await created({ username: 'disabled' })
    const first = await written(() => test.manage('POST', `/v1/users/${id}/disable`))
    assert.deepEqual(first, { feed: [`subject ${id} revoked`], audited: ['user.disabled'] })
    const again = await written(() => test.manage('POST', `/v1/users/${id}/disable`))
    assert.deepEqual(again, { feed: [], audited: [] })
    const enabled = await written(() => test.manage('POST', `/v1/users/${id}/enable`))
    assert.deepEqual(enabled, { feed: [], audited: ['user.enabled'] })
  })

  it('erases a deleted user and says in the feed that it is for ever', async () => {
    const { id } = await created({ username: 'gone', email: 'gone.person@example.com' })
    await test.manage('PUT', `/v1/users/${id}/tenants/${test.tenantId}`, {})
    const { feed, audited } = await written(async () => {
      assert.equal((await test.manage('DELETE', `/v1/users/${id}`)).statusCode, 204)
    })
    assert.deepEqual([feed, audited], [[`subject ${id} deleted`], ['user.deleted']])
    assert.equal((await test.manage('GET', `/v1/users/${id}`)).statusCode, 404)
    assert.equal((await test.manage('DELETE', `/v1/users/${id}`)).statusCode, 404)
    assert.deepEqual(await tenantsOf(test.storage, id), [])
    await created({ username: 'gone' })
  })

  it('ends sessions and tokens when a password is set', async () => {
    const { id } = await created({ username: 'secretive' })
    const { feed, audited } = await written(async () => {
      const answer = await test.manage('POST', `/v1/users/${id}/password`, { password: PASSWORD })
      assert.equal(answer.json().has_password, true)
    })
    assert.deepEqual([feed, audited], [[`subject ${id} revoked`], ['user.password_set']])
  })

  for (const [fault, password] of [
    ['14 characters', 'x1x2x3x4x5x6x7'],
    ['14 characters that are 15 before they are composed', `${'ab'.repeat(6)}cu\u0308`],
    ['one character over and over', 'a'.repeat(20)],
    ['the e-mail address', 'Longer.Name@Example.com'],
    ['more than 1,024 bytes', 'ü'.repeat(513)],
    ['half a surrogate pair', `${'x'.repeat(20)}y\uD800`],
  ] as const)
    it(`refuses a password of ${fault}, without repeating it`, async () => {
      const [user] = (await test.manage('GET', '/v1/users?identifier=longer.name@example.com')).json().data
      const { id } = user ?? (await created({ email: 'longer.name@example.com' }))
      const before = test.identity.hasher.computed
      const answer = await test.manage('POST', `/v1/users/${id}/password`, { password })
      assert.equal(answer.statusCode, 400)
      assert.ok(!answer.body.includes(password))
      assert.equal(test.identity.hasher.computed, before)
    })

  it('takes fifteen characters of any script and counts an emoji as one', async () => {
    const { id } = await created({ username: 'scripts' })
    const set = (password: string) => test.manage('POST', `/v1/users/${id}/password`, { password })
    assert.equal((await set('пароль из слов!')).statusCode, 200)
    assert.equal((await set('🐴🔋📎🐴🔋📎🐴🔋📎🐴🔋📎🐴🔋')).statusCode, 400)
  })

  it('ends sessions and tokens when a role or membership is lost, not when one is won', async () => {
    const { id } = await created({ username: 'member' })
    const path = `/v1/users/${id}/tenants/${test.tenantId}`
    const steps = [
      () => test.manage('PUT', path, { roles: ['admin', 'billing', 'admin'] }),
      () => test.manage('PUT', path, { roles: ['billing'] }),
      () => test.manage('DELETE', path),
    ]
    const feeds: string[][] = []
    for (const step of steps) feeds.push((await written(step)).feed)
    assert.deepEqual(feeds, [[], [`subject ${id} revoked`], [`subject ${id} revoked`]])
    assert.equal((await test.manage('DELETE', path)).statusCode, 404)
  })

  it('lists memberships with their roles, and none of a tenant that is disabled or deleted', async () => {
    const { id } = await created({ username: 'many' })
    test.clock.pass(1)
    const other = await test.storage.write((tx) =>
      createTenant(tx, test.changes, OPERATOR, { name: 'other' }),
    )
    for (const tenant of [test.tenantId, other.id])
      await test.manage('PUT', `/v1/users/${id}/tenants/${tenant}`, { roles: ['admin'] })
    const { data } = (await test.manage('GET', `/v1/users/${id}/tenants`)).json()
    assert.deepEqual(
      data.map((one: { tenant_name: string; roles: string[] }) => [one.tenant_name, one.roles]),
      [
        ['default', ['admin']],
        ['other', ['admin']],
      ],
    )
    await test.storage.write((tx) => deleteTenant(tx, test.changes, OPERATOR, other.id))
    assert.equal((await tenantsOf(test.storage, id)).length, 1)
    assert.equal(await purgeIdentity(test.storage, test.clock), 1)
    const gone = await test.manage('PUT', `/v1/users/${id}/tenants/${other.id}`, {})
    assert.equal(gone.statusCode, 404)
  })

  it('pages through users by cursor and finds one by any spelling', async () => {
    const seen: string[] = []
    let cursor = ''
    do {
      const page = (await test.manage('GET', `/v1/users?limit=3${cursor}`)).json()
      seen.push(...page.data.map((user: { id: string }) => user.id))
      cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`
    } while (cursor !== '')
    assert.equal(new Set(seen).size, seen.length)
    assert.ok(seen.length > 6)
    const found = (await test.manage('GET', '/v1/users?identifier=ADA@example.COM')).json().data
    assert.equal(found[0].username, 'Ada')
    assert.equal((await test.manage('GET', '/v1/users?cursor=nonsense')).json().code, 'invalid_cursor')
  })

  it('shows an operator of a tenant its members alone, and lets it change nobody', async () => {
    const member = await test.user('insider')
    const stranger = await created({ username: 'outsider' })
    const list = (await test.manage('GET', '/v1/users?limit=100', undefined, 'tenant')).json().data
    const names = new Set(list.map((user: { username: string }) => user.username))
    assert.ok(names.has('insider') && !names.has('outsider'))
    const reads = ['', '/tenants'].map((part) =>
      test.manage('GET', `/v1/users/${stranger.id}${part}`, undefined, 'tenant'),
    )
    for (const answer of await Promise.all(reads)) assert.equal(answer.statusCode, 404)
    const sessions = await test.manage('GET', `/v1/users/${member.id}/sessions`, undefined, 'tenant')
    assert.equal(sessions.statusCode, 403)
    for (const [method, part, body] of [
      ['PATCH', '', { name: 'x' }],
      ['DELETE', '', undefined],
      ['POST', '/disable', {}],
      ['POST', '/password', { password: PASSWORD }],
      ['POST', '/sign-out-everywhere', {}],
      ['PUT', `/tenants/${test.tenantId}`, { roles: ['admin'] }],
      ['DELETE', `/tenants/${test.tenantId}`, undefined],
    ] as const) {
      const answer = await test.manage(method, `/v1/users/${member.id}${part}`, body, 'tenant')
      assert.equal(answer.statusCode, 403, `${method} ${part}`)
    }
  })

  it('needs users:write to change anything', async () => {
    const answer = await test.manage('POST', '/v1/users', { username: 'x' }, 'reader')
    assert.equal(answer.json().code, 'insufficient_scope')
  })
})
