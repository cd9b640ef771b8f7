/** Leak reports: signed ones end keys by the policy of their resource, forged ones do nothing and learn nothing. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  importKeys,
  issueKey,
  type Json,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
  unique,
  verdict,
} from '../../test/deployment.ts'
import { purgeDeletedParents } from '../api-keys/index.ts'
import { purgeLeaks } from './index.ts'
import { startScanner, type TestScanner } from '../../test/leaks/scanner.ts'

onBothDatabases('leaks', (fresh) => {
  let node: Node
  let scanner: TestScanner
  let resource: Json
  before(async () => {
    scanner = await startScanner()
    node = await openNode(await fresh(), {
      env: {
        POSTERN_ISSUER: 'http://localhost:4800',
        POSTERN_LEAKS_GITHUB_KEYS_URL: scanner.keysUrl,
        POSTERN_LEAKS_GITLAB_KEYS_URL: scanner.keysUrl,
      },
    })
    resource = await newResource(node)
  })
  after(async () => {
    await node.close()
    await scanner.close()
  })

  const url = (): string => `https://github.com/octocat/hello/blob/main/${unique()}.env`
  const entry = (token: string, more: Record<string, unknown> = {}): Json => ({
    token,
    type: 'acme_api_key',
    url: url(),
    source: 'content',
    ...more,
  })
  const send = (signed: { headers: Record<string, string>; body: string }, to = 'github') =>
    node.request('POST', `/v1/leaks/${to}`, { key: null, headers: signed.headers, body: signed.body })
  const report = (entries: unknown) => send(scanner.sign(entries))
  const leaksOf = async (key: Json): Promise<Json[]> =>
    (await node.done('GET', `/v1/leaks?key=${key.id}`)).data
  const ofPolicy = async (leak_policy: string): Promise<Json> => {
    const owned = await newResource(node, { leak_policy, leak_notice_seconds: 3_600 })
    return issueKey(node, owned)
  }

  it('ends a reported key at once, tells GitHub that it was a true one, and keeps what and where', async () => {
    const key = await issueKey(node, resource)
    assert.equal(await verdict(node, key.key), 'valid')
    const stranger = 'sk_live_0000000000000000000000000000000000000000000000000'
    const found = entry(key.key)
    const answer = await report([found, entry(stranger)])
    assert.equal(answer.status, 200)
    const digest = (text: string): string => createHash('sha256').update(text).digest('hex')
    assert.deepEqual(answer.body, [
      { token_hash: digest(key.key), token_type: 'acme_api_key', label: 'true_positive' },
      { token_hash: digest(stranger), token_type: 'acme_api_key', label: 'false_positive' },
    ])
    assert.equal(await verdict(node, key.key), 'revoked')
    const [leak, ...others] = await leaksOf(key)
    assert.deepEqual(others, [])
    assert.equal(leak.action, 'revoked')
    assert.equal(leak.url, found.url)
    assert.equal(leak.reporter, 'github')
    assert.equal(leak.resource, resource.uri)

    const { data: events } = await node.done('GET', `/v1/audit?target=${key.id}`)
    assert.deepEqual(
      events.slice(0, 2).map((event: Json) => [event.action, event.actor.id]),
      [
        ['api_key.leaked', 'github'],
        ['api_key.revoked', 'github'],
      ],
    )
    const leaked = events.find((event: Json) => event.action === 'api_key.leaked')
    assert.equal(leaked.data.url, found.url)
    assert.equal(leaked.data.source, 'content')
  })

  it('does nothing more for the same report again, and notes another place', async () => {
    const key = await ofPolicy('tell')
    const signed = scanner.sign([entry(key.key)])
    assert.equal((await send(signed)).status, 200)
    assert.equal((await send(signed)).status, 200)
    assert.equal((await leaksOf(key)).length, 1)
    await report([entry(key.key)])
    assert.equal((await leaksOf(key)).length, 2)
    const { data: events } = await node.done('GET', `/v1/audit?target=${key.id}&action=api_key.leaked`)
    assert.equal(events.length, 2)
  })

  it('disables, gives notice or only tells, as the resource says', async () => {
    const [disabled, ending, told] = [
      await ofPolicy('disable'),
      await ofPolicy('rotate'),
      await ofPolicy('tell'),
    ]
    await report([entry(disabled.key), entry(ending.key), entry(told.key)])
    assert.equal(await verdict(node, disabled.key), 'disabled')
    assert.equal(await verdict(node, told.key), 'valid')
    assert.equal(await verdict(node, ending.key), 'valid')
    const shown = await node.done('GET', `/v1/keys/${ending.id}`)
    assert.equal(shown.expires_at, node.clock.at(3_600_000))
    assert.deepEqual(
      (await Promise.all([disabled, ending, told].map(leaksOf))).map(([leak]) => leak.action),
      ['disabled', 'ends', 'told'],
    )
  })

  it('leaves a key disabled by a leak enabled when the old report comes again, and not when a new one does', async () => {
    const key = await ofPolicy('disable')
    const signed = scanner.sign([entry(key.key)])
    await send(signed)
    await node.done('POST', `/v1/keys/${key.id}/enable`)
    await send(signed)
    assert.equal(await verdict(node, key.key), 'valid')
    await report([entry(key.key)])
    assert.equal(await verdict(node, key.key), 'disabled')
  })

  it('never acts on a report that was not signed, or signed by somebody else, and says nothing about its keys', async () => {
    const key = await issueKey(node, resource)
    const good = scanner.sign([entry(key.key)])
    const other = await startScanner()
    const forgeries = [
      { ...good, headers: { 'content-type': 'application/json' } },
      { ...good, body: good.body.replace('content', 'CONTENT') },
      { ...good, body: `${good.body} ` },
      { ...good, headers: { ...good.headers, 'github-public-key-identifier': 'second' } },
      { ...good, headers: { ...good.headers, 'github-public-key-signature': 'AAAA' } },
      { ...good, headers: { ...good.headers, 'github-public-key-signature': 'x'.repeat(5_000) } },
      other.sign([entry(key.key)]),
      other.sign([entry('sk_live_nothing')]),
      other.sign('not even JSON'),
    ]
    const answers = []
    for (const forged of forgeries) {
      const { status, body } = await send(forged)
      answers.push([status, body.code, body.detail])
    }
    for (const answer of answers)
      assert.deepEqual(answer, [401, 'unauthorized', 'The signature does not prove who sent this.'])
    assert.equal(await verdict(node, key.key), 'valid')
    assert.deepEqual(await leaksOf(key), [])
    // A good signature for one sender is none for another.
    assert.equal((await send(good, 'gitlab')).status, 401)
    await other.close()
  })

  it('counts forged reports in the activity log', async () => {
    const before = await countForged()
    await send({ headers: { 'content-type': 'application/json' }, body: '[]' })
    assert.equal((await countForged()) - before, 1)
  })
  async function countForged(): Promise<number> {
    // Written in batches, after the replies.
    await new Promise((resolve) => setTimeout(resolve, 1_300))
    const { data } = await node.done('GET', '/v1/activity?kind=leak_report')
    return data
      .filter((row: Json) => row.route === 'leaks/github' && row.code === 'forged')
      .reduce((sum: number, row: Json) => sum + row.count, 0)
  }

  it('takes the keys of a scanner from its URL once, asks conditionally, and goes on with old ones for a week', async () => {
    const key = await issueKey(node, resource)
    await report([])
    const asked = scanner.asked.length
    await report([])
    assert.equal(scanner.asked.length, asked)
    node.clock.advanceMonotonic(3_700_000)
    await report([])
    assert.match(scanner.asked.at(-1) ?? '', /^"\d+"$/)

    scanner.broken = 500
    node.clock.advanceMonotonic(6 * 86_400_000)
    assert.equal((await report([])).status, 200)
    node.clock.advanceMonotonic(2 * 86_400_000)
    const late = await report([entry(key.key)])
    assert.deepEqual([late.status, late.body.code], [503, 'upstream_unavailable'])
    assert.ok(Number(late.headers['retry-after']) > 0)
    assert.equal(await verdict(node, key.key), 'valid')
    scanner.broken = undefined
    node.clock.advanceMonotonic(60_000)
    assert.equal((await report([entry(key.key)])).status, 200)
    assert.equal(await verdict(node, key.key), 'revoked')
  })

  it('takes a new key of a scanner at its first report, and asks once a cooldown for invented ones', async () => {
    node.clock.advanceMonotonic(60_000)
    scanner.newKey(`second-${unique()}`)
    assert.equal((await report([])).status, 200)
    const asked = scanner.asked.length
    const signed = scanner.sign([])
    for (let count = 0; count < 20; count++)
      await send({ ...signed, headers: { ...signed.headers, 'github-public-key-identifier': unique() } })
    assert.ok(scanner.asked.length - asked <= 1)
  })

  it('refuses a key of a scanner that is not on P-256', async () => {
    node.clock.advanceMonotonic(60_000)
    scanner.newKey('larger', 'P-384')
    assert.equal((await report([])).status, 401)
    node.clock.advanceMonotonic(60_000)
    scanner.newKey('third')
  })

  it('handles a report of five thousand tokens, with odd entries and repetitions among them', async () => {
    const keys = await Promise.all(Array.from({ length: 120 }, () => issueKey(node, resource)))
    const noise = Array.from({ length: 4_880 }, (_, index) =>
      index % 3 === 0
        ? entry(`sk_live_${String(index).padStart(50, '0')}`)
        : index % 3 === 1
          ? entry(`rubbish ${index}`)
          : { token: index, type: null, url: {} },
    )
    const mixed = [
      ...keys.map(({ key }) => entry(key)),
      null,
      'text',
      [],
      ...noise,
      ...keys.map(({ key }) => entry(key)),
    ]
    const answer = await report(mixed)
    assert.equal(answer.status, 200)
    assert.equal(answer.body.filter(({ label }: Json) => label === 'true_positive').length, 240)
    for (const key of [keys[0], keys[60], keys[119]]) assert.equal(await verdict(node, key.key), 'revoked')
    const { data, next_cursor: more } = await node.done('GET', `/v1/leaks?resource=${resource.id}&limit=100`)
    assert.equal(data.length, 100)
    assert.ok(more)
  })

  it('refuses what is no list, and what is larger than a report may be', async () => {
    assert.equal((await report({ token: 'x' })).status, 400)
    assert.equal((await report('[')).body.code, 'invalid_json')
    const { status } = await send({
      headers: { 'content-type': 'application/json' },
      body: `[${'1,'.repeat(5 * 1024 * 1024)}1]`,
    })
    assert.equal(status, 413)
  })

  it('notes at most a hundred places for a key', async () => {
    const key = await ofPolicy('tell')
    await report(Array.from({ length: 150 }, () => entry(key.key)))
    assert.equal((await node.done('GET', `/v1/leaks?key=${key.id}&limit=100`)).data.length, 100)
    assert.equal((await node.done('GET', `/v1/leaks?key=${key.id}&limit=100`)).next_cursor, null)
  })

  it('keeps no key that stands in the place itself, and no control characters', async () => {
    const key = await ofPolicy('tell')
    await report([
      entry(key.key, {
        url: `https://example.com/\u001b[31m?key=${key.key}`,
        source: key.key,
        type: key.key,
      }),
    ])
    const [leak] = await leaksOf(key)
    assert.ok(!JSON.stringify(leak).includes(key.key))
    assert.ok(!leak.url.includes('\u001b'))
  })

  it('finds imported keys too, of every tenant that has them', async () => {
    const [text] = await importKeys(node, resource, 1)
    await report([entry(text as string)])
    assert.equal(await verdict(node, text as string, { resource: resource.uri }), 'revoked')
  })

  it('revokes an operator key that leaked, but never the last one', async () => {
    const operator = await newOperator(node, ['keys:read'])
    await report([entry(operator.key), entry(node.operatorKey)])
    assert.equal((await node.request('GET', '/v1/keys', { key: operator.key })).status, 401)
    assert.equal((await node.request('GET', '/v1/keys')).status, 200)
    const { principal } = await node.done('GET', '/v1/whoami')
    const [ended, kept] = [await leaksOf(operator), await leaksOf(principal.credential)]
    assert.deepEqual(
      [...ended, ...kept].map(({ action }: Json) => action),
      ['revoked', 'told'],
    )
  })

  it('takes a signed report of GitLab, and one of a GitLab of your own with an operator key', async () => {
    const [one, two] = [await issueKey(node, resource), await issueKey(node, resource)]
    const signed = scanner.sign([{ type: 'my_api_token', token: one.key, url: url() }], 'gitlab')
    assert.equal((await send(signed, 'gitlab')).status, 204)
    assert.equal(await verdict(node, one.key), 'revoked')

    const { types } = await node.done('GET', '/v1/leaks/gitlab/revocable_token_types')
    assert.ok(types.includes('gitleaks_rule_id_postern_sk'))
    const body = [{ type: types[0], token: two.key, location: url(), extra: 1 }]
    assert.equal(
      (await node.request('POST', '/v1/leaks/gitlab/revoke_tokens', { body, key: null })).status,
      401,
    )
    assert.equal((await node.request('POST', '/v1/leaks/gitlab/revoke_tokens', { body })).status, 204)
    assert.equal(await verdict(node, two.key), 'revoked')
    assert.equal((await leaksOf(two))[0].reporter, 'gitlab')
  })

  it('tells an operator whose keys they are and changes nothing with dry_run, and acts without', async () => {
    const key = await issueKey(node, resource, { owner: 'acme' })
    const reports = [{ token: key.key, url: url() }, { token: 'sk_live_nothing' }]
    const asked = await node.done('POST', '/v1/leaks', { dry_run: true, reports })
    assert.deepEqual(
      asked.data.map(({ found }: Json) =>
        found.map((one: Json) => [one.key, one.owner, one.status, one.action]),
      ),
      [[[key.id, 'acme', 'active', 'none']], []],
    )
    assert.deepEqual(await leaksOf(key), [])
    const done = await node.done('POST', '/v1/leaks', { reports })
    assert.equal(done.data[0].found[0].action, 'revoked')
    assert.equal(done.data[0].found[0].status, 'revoked')
    const again = await node.done('POST', '/v1/leaks', { reports })
    assert.equal(again.data[0].found[0].reported_before, true)
    assert.equal(await verdict(node, key.key), 'revoked')
  })

  it('forgets what is known of a key that was deleted with its API', async () => {
    const owned = await newResource(node)
    const [gone, kept] = [await issueKey(node, owned), await issueKey(node, resource)]
    await report([entry(gone.key), entry(kept.key)])
    await node.done('DELETE', `/v1/resources/${owned.id}`)
    await purgeDeletedParents(node.deployment.storage)
    await purgeLeaks(node.deployment.storage)
    assert.deepEqual(await leaksOf(gone), [])
    assert.equal((await leaksOf(kept)).length, 1)
  })

  it('keeps tenants and resources apart, for reporting and for looking back', async () => {
    const tenant = await newTenant(node)
    const confined = await newOperator(node, ['keys:read', 'keys:write'], { tenant: tenant.id })
    const foreign = await issueKey(node, resource)
    const own = await issueKey(node, resource, { tenant: tenant.id })
    const reports = [{ token: foreign.key }, { token: own.key }, { token: node.operatorKey }]
    const answer = await node.done('POST', '/v1/leaks', { reports }, confined.key)
    assert.deepEqual(
      answer.data.map(({ found }: Json) => found.length),
      [0, 1, 0],
    )
    assert.equal(await verdict(node, foreign.key), 'valid')
    const listed = await node.done('GET', '/v1/leaks', undefined, confined.key)
    assert.deepEqual(
      listed.data.map(({ key }: Json) => key),
      [own.id],
    )
    assert.deepEqual(
      (await node.done('GET', `/v1/leaks?tenant=${foreign.tenant}`, undefined, confined.key)).data,
      [],
    )
    const elsewhere = await newOperator(node, ['keys:read', 'keys:write'], {
      resources: [(await newResource(node)).id],
    })
    assert.deepEqual((await node.done('POST', '/v1/leaks', { reports }, elsewhere.key)).data[0].found, [])
    assert.equal(await verdict(node, foreign.key), 'valid')
  })
})
