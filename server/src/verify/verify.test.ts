/** What `POST /v1/verify` answers: each denial, which one first, and what a credential may look like. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  eventually,
  issueKey,
  type Json,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
  verdict,
  verify,
} from '../../test/deployment.ts'
import { DENIALS } from '../kernel/index.ts'

onBothDatabases('verify', (fresh) => {
  let node: Node
  let api: Json
  before(async () => {
    node = await openNode(await fresh())
    api = await newResource(node)
  })
  after(() => node.close())

  it('answers 200 for every decision, with a position and a sentence out of the closed set', async () => {
    const key = await issueKey(node, api)
    const valid = await verify(node, key.key)
    assert.ok(Number.isSafeInteger(valid.as_of) && valid.as_of > 0)
    for (const [credential, code] of [
      ['', 'missing'],
      ['rubbish', 'unknown'],
    ] as const) {
      const refused = await verify(node, credential)
      assert.equal(refused.code, code)
      assert.equal(refused.detail, DENIALS[code].detail)
      assert.ok(Number.isSafeInteger(refused.as_of))
      assert.equal('principal' in refused, false)
    }
  })

  it('tells which fault comes first, from reach to scopes, on a warm cache as on a cold one', async () => {
    const elsewhere = await newTenant(node)
    const callerKey = (await newOperator(node, ['verify'], { tenant: elsewhere.id })).key
    const key = await issueKey(node, api, {
      not_before: node.clock.at(60_000),
      expires_at: node.clock.at(120_000),
      ip_allow: ['192.0.2.0/24'],
    })
    // A key cannot be issued so, but its end may be moved before its beginning.
    await node.done('PATCH', `/v1/keys/${key.id}`, { expires_at: node.clock.at(1_000) })
    await node.done('POST', `/v1/keys/${key.id}/disable`)
    node.clock.advance(1_000)
    const question = {
      resource: 'https://other.test',
      tenant: elsewhere.id,
      environment: 'test',
      origin: 'https://page.test',
      ip: '198.51.100.1',
      scopes: ['orders:write'],
    }
    const says = async (code: string, asked: Record<string, unknown>): Promise<void> => {
      for (const temperature of ['cold', 'warm'])
        assert.equal(await verdict(node, key.key, asked), code, `${code}, ${temperature}`)
    }
    const { resource: _r, ...onResource } = question
    const { tenant: _t, ...onTenant } = onResource
    await says('unknown', { ...question, callerKey })
    await says('wrong_resource', question)
    await says('wrong_tenant', onResource)
    await says('expired', onTenant)
    await node.done('PATCH', `/v1/keys/${key.id}`, { expires_at: null })
    await says('not_yet_valid', onTenant)
    node.clock.advance(60_000)
    await says('disabled', onTenant)
    await node.done('POST', `/v1/keys/${key.id}/enable`)
    await says('wrong_environment', onTenant)
    await says('exposed_in_browser', { ...onTenant, environment: 'live' })
    const { origin: _o, ...outside } = { ...onTenant, environment: 'live' }
    await says('ip_not_allowed', outside)
    await says('insufficient_scope', { ...outside, ip: '192.0.2.1' })
    await says('valid', { ...outside, ip: '192.0.2.1', scopes: ['orders:read'] })
    await node.done('POST', `/v1/keys/${key.id}/revoke`, {})
    await says('revoked', { ...onTenant, scopes: [] })
    await says('wrong_tenant', onResource)
  })

  it('names every row of the feed that would touch the answer, cold and warm alike', async () => {
    const key = await issueKey(node, api)
    const [cold, warm] = [await verify(node, key.key), await verify(node, key.key)]
    assert.deepEqual(cold.refs.toSorted(), [
      `api_key:${key.id}`,
      `resource:${api.id}`,
      `subject:${key.tenant}/customer-1`,
      `tenant:${key.tenant}`,
    ])
    assert.deepEqual(warm.refs, cold.refs)
    assert.equal('refs' in (await verify(node, 'rubbish')), false)
    assert.equal('refs' in (await node.done('GET', '/v1/whoami', undefined, key.key)), false)
  })

  it('names the scopes that were asked for when one is missing', async () => {
    const key = await issueKey(node, api)
    const refused = await verify(node, key.key, { scopes: ['orders:read', 'orders:write'] })
    assert.deepEqual(refused.scopes, ['orders:read', 'orders:write'])
  })

  it('takes live keys unless it is asked for test keys', async () => {
    const live = await issueKey(node, api)
    const test = await issueKey(node, api, { environment: 'test' })
    assert.match(test.key, /^sk_test_/)
    const table = [
      [live, undefined, 'valid'],
      [live, 'live', 'valid'],
      [live, 'test', 'wrong_environment'],
      [live, 'any', 'valid'],
      [test, undefined, 'wrong_environment'],
      [test, 'test', 'valid'],
      [test, 'any', 'valid'],
    ] as const
    for (const [key, environment, expected] of table)
      assert.equal(await verdict(node, key.key, { environment }), expected)
    const flipped = test.key.replace('_test_', '_live_')
    assert.equal(await verdict(node, flipped), 'malformed')
  })

  it('matches allowed addresses in both families, mapped ones too, and none without an address', async () => {
    const key = await issueKey(node, api, {
      ip_allow: ['192.0.2.0/25', '203.0.113.9', '2001:db8:1::/48', '::ffff:198.51.100.4'],
    })
    const table: Record<string, string> = {
      '192.0.2.0': 'valid',
      '192.0.2.127': 'valid',
      '192.0.2.128': 'ip_not_allowed',
      '203.0.113.9': 'valid',
      '203.0.113.8': 'ip_not_allowed',
      '::ffff:192.0.2.5': 'valid',
      '::ffff:c000:205': 'valid',
      '198.51.100.4': 'valid',
      '2001:db8:1:ffff::1': 'valid',
      '2001:DB8:1::1': 'valid',
      '2001:db8:2::1': 'ip_not_allowed',
      '192.0.2.5:443': 'ip_not_allowed',
      '0300.0.2.5': 'ip_not_allowed',
      '3221225989': 'ip_not_allowed',
      '192.0.2.5, 10.0.0.1': 'ip_not_allowed',
      '': 'ip_not_allowed',
      localhost: 'ip_not_allowed',
    }
    for (const [ip, expected] of Object.entries(table))
      assert.equal(await verdict(node, key.key, { ip }), expected, `from "${ip}"`)
    assert.equal(await verdict(node, key.key), 'ip_not_allowed')
    const anywhere = await issueKey(node, api, { ip_allow: ['0.0.0.0/0'] })
    assert.equal(await verdict(node, anywhere.key, { ip: '8.8.8.8' }), 'valid')
    assert.equal(await verdict(node, anywhere.key, { ip: '2001:db8::1' }), 'ip_not_allowed')
  })

  it('refuses a live key that a browser sends, unless its resource allows it or it is a test key', async () => {
    const open = await newResource(node, { allow_browser_keys: true })
    const live = await issueKey(node, api)
    const test = await issueKey(node, api, { environment: 'test' })
    const allowed = await issueKey(node, open)
    for (const sign of [
      { origin: 'https://page.test' },
      { sec_fetch_site: 'same-origin' },
      { origin: 'null' },
    ]) {
      assert.equal(await verdict(node, live.key, sign), 'exposed_in_browser')
      assert.equal(await verdict(node, test.key, { ...sign, environment: 'test' }), 'valid')
      assert.equal(await verdict(node, allowed.key, sign), 'valid')
    }
    assert.equal((await verify(node, live.key)).constraints.browser, false)
    assert.equal((await verify(node, allowed.key)).constraints.browser, true)
    await node.done('PATCH', `/v1/resources/${open.id}`, { allow_browser_keys: false })
    assert.equal(await verdict(node, allowed.key, { origin: 'https://page.test' }), 'exposed_in_browser')
  })

  it('refuses a key in the URL, however it is written there', async () => {
    const header = await issueKey(node, api)
    const key = (await issueKey(node, api)).key as string
    const encoded = [...key].map((one) => `%${one.charCodeAt(0).toString(16)}`).join('')
    const urls = [
      `https://api.test/orders?api_key=${key}`,
      `https://api.test/orders?a=1&b=${key}&c=2`,
      `https://api.test/orders#${key}`,
      `https://api.test/${key}/orders`,
      `https://user:${key}@api.test/`,
      `https://api.test/?k=${encoded}`,
      `https://api.test/?k=${key.replaceAll('_', '%5F')}`,
      `https://api.test/?k=${key.replaceAll('_', '%5f')}&broken=%zz`,
      `https://api.test/?broken=%&k=${key.replace('s', '%73')}`,
      `/orders?k=${key}`,
      `/orders?k=sk_live_${'A'.repeat(50)}`,
    ]
    for (const url of urls) {
      assert.equal(await verdict(node, header.key, { url }), 'exposed_in_url', url)
      assert.equal(await verdict(node, header.key, { url: 'https://api.test/orders?state=sk_live' }), 'valid')
    }
  })

  it('writes down an exposed key with whose it is when it is a real one', async () => {
    const key = await issueKey(node, api)
    const url = `https://api.test/?k=${key.key}`
    assert.equal(await verdict(node, key.key, { url, ip: '198.51.100.77' }), 'exposed_in_url')
    assert.equal(await verdict(node, 'x', { url: `/?k=sk_live_${'B'.repeat(50)}` }), 'exposed_in_url')
    assert.equal(await verdict(node, key.key, { origin: 'https://page.test' }), 'exposed_in_browser')
    const rows = async (): Promise<Json[]> =>
      (await node.done('GET', `/v1/activity?kind=exposed&credential=${key.id}`)).data
    await eventually('both are written', async () => (await rows()).length === 2, 5_000)
    const exposed = (await rows()).find(({ code }) => code === 'exposed_in_url')
    assert.deepEqual(
      [exposed.network, exposed.tenant, exposed.count, exposed.route],
      ['198.51.100.0/24', key.tenant, 1, 'verify'],
    )
    const { text } = await node.request('GET', '/v1/activity?limit=100')
    assert.ok(!text.includes(key.key))
  })

  it('refuses what is no credential, in every form, with a decision', async () => {
    const key = (await issueKey(node, api)).key as string
    const last = key.at(-1) === 'A' ? 'B' : 'A'
    const malformed = [
      key.slice(0, -1),
      key.slice(0, 20),
      `${key}A`,
      `${key.slice(0, -1)}${last}`,
      ` ${key}`,
      `${key} `,
      `${key}\n`,
      `${key}\0`,
      '\0',
      'sk_live_\u0000',
      'ключ',
      '\u{1F511}',
      '\uD800',
      `sk_live_${'ａ'.repeat(50)}`,
      'x'.repeat(8_193),
      'x'.repeat(200_000),
      'a b',
    ]
    for (const credential of malformed)
      for (const resource of [undefined, api.uri])
        assert.equal(
          await verdict(node, credential, { resource }),
          'malformed',
          JSON.stringify(credential.slice(0, 80)),
        )
    for (const credential of [
      key.toUpperCase(),
      key.replace('sk_', 'pk_'),
      'x',
      'Bearer',
      '"; DROP TABLE api_keys',
    ])
      assert.ok(['malformed', 'unknown'].includes(await verdict(node, credential)), credential)
    // A token that nobody we know has signed.
    assert.equal(await verdict(node, 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln'), 'unknown')
    const huge = await node.request('POST', '/v1/verify', { body: { credential: 'x'.repeat(1_048_576) } })
    assert.deepEqual([huge.status, huge.body.code], [413, 'payload_too_large'])
    assert.equal(await verdict(node, key), 'valid')
  })

  it('refuses a NUL in what the database is asked for, as a faulty question', async () => {
    for (const member of ['resource', 'tenant'])
      for (const credential of ['rubbish', (await issueKey(node, api)).key]) {
        const body = { credential, resource: api.uri, [member]: 'a\0b' }
        const answer = await node.request('POST', '/v1/verify', { body })
        assert.deepEqual([answer.status, answer.body.errors?.[0].pointer], [400, `/${member}`])
      }
  })

  it('needs the scope verify from whoever asks', async () => {
    const reader = await newOperator(node, ['keys:read'])
    const body = { credential: 'x' }
    const refused = await node.request('POST', '/v1/verify', { key: reader.key, body })
    assert.deepEqual([refused.status, refused.body.code], [403, 'insufficient_scope'])
    const own = await issueKey(node, api)
    const other = await node.request('POST', '/v1/verify', { key: own.key, body })
    assert.deepEqual([other.status, other.body.code], [401, 'wrong_resource'])
    assert.equal((await node.request('POST', '/v1/verify', { key: null, body })).status, 401)
  })

  it('tells the holder of a key who they are', async () => {
    const key = await issueKey(node, api, { environment: 'test', metadata: { plan: 'gold' } })
    const { principal, constraints } = await node.done('GET', '/v1/whoami', undefined, key.key)
    assert.deepEqual([principal.sub, principal.resource], ['customer-1', api.uri])
    assert.equal(constraints.environment, 'test')
    const byHeader = await node.request('GET', '/v1/whoami', { key: null, headers: { 'x-api-key': key.key } })
    assert.equal(byHeader.body.principal.credential.id, key.id)
    for (const [asking, code] of [
      [{ key: null }, 'missing'],
      [{ key: key.key, headers: { 'x-api-key': key.key } }, 'multiple_credentials'],
      [{ key: null, headers: { 'x-api-key': `${key.key}, ${key.key}` } }, 'multiple_credentials'],
      [{ key: null, headers: { authorization: 'Basic YTpi' } }, 'unsupported'],
      [{ key: null, headers: { authorization: key.key } }, 'malformed'],
      [{ key: null, headers: { authorization: `Bearer ${key.key} ${key.key}` } }, 'malformed'],
    ] as const) {
      const refused = await node.request('GET', '/v1/whoami', asking)
      assert.deepEqual([refused.status, refused.body.code], [401, code])
    }
    const url = await node.request('GET', `/v1/whoami?k=${key.key}`, { key: key.key })
    assert.deepEqual([url.status, url.body.code], [401, 'exposed_in_url'])
  })
})
