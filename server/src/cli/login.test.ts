import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Browser } from '../../test/browser.ts'
import { freshSqlite, type TestDatabase } from '../../test/databases.ts'
import {
  API,
  basic,
  claimsOf,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'
import { newUser } from '../../test/sign-in-as.ts'
import { capture, NO_DEPS } from './testing/capture.ts'

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

describe('postern login', () => {
  let database: TestDatabase
  let server: OAuthServer
  let client: Json
  let user: Json
  const config = mkdtempSync(join(tmpdir(), 'postern-config-'))
  const file = join(config, 'postern', 'login.json')
  before(async () => {
    database = freshSqlite()
    server = await openOAuthServer(database)
    await newResource(server)
    client = await newClient(server, {
      kind: 'native',
      grant_types: [DEVICE_CODE, 'refresh_token'],
      resources: [{ resource: API }],
    })
    user = await newUser(server, 'ada', client.tenant)
  })
  after(async () => {
    await server.close()
    await database.drop()
    rmSync(config, { recursive: true, force: true })
  })

  const run = (...argv: string[]) =>
    capture(argv, NO_DEPS, { env: { XDG_CONFIG_HOME: config }, nowMs: () => Date.now() })
  it('keeps the tokens for their owner alone; whoami shows, refreshes and ends them', async () => {
    // The code is on the screen of a process that has not ended: it is read where it is asked for.
    const asked = Promise.withResolvers<string>()
    const { fetch: real } = globalThis
    globalThis.fetch = async (...words) => {
      const answer = await real(...words)
      if (String(words[0]).endsWith('/device/authorize'))
        void answer
          .clone()
          .json()
          .then((body) => asked.resolve((body as Json).user_code))
      return answer
    }
    const ending = run(
      'login',
      '--server',
      server.issuer,
      '--client',
      client.id,
      '--resource',
      API,
      '--scope',
      'orders:read',
    )
    const code = await asked.promise
    globalThis.fetch = real
    const browser = new Browser(server)
    const confirm = await browser.submit(await browser.visit('/device'), { user_code: code })
    const consent = await browser.submit(await browser.submit(confirm, {}), {
      identifier: 'ada',
      password: 'correct horse battery',
    })
    await browser.submit(consent, { decision: 'allow' })
    const { exitCode, stderr, stdout } = await ending
    assert.equal(exitCode, 0, stderr)
    assert.ok(stderr.includes(code))
    assert.equal(stdout, '')
    assert.equal(statSync(file).mode & 0o777, 0o600)

    const shown = await run('whoami')
    assert.equal(shown.exitCode, 0, shown.stderr)
    assert.match(shown.stdout, new RegExp(`sub +${user.id}`))
    assert.match(shown.stdout, /scope +orders:read/)

    const first = (await run('whoami', '--token')).stdout.trim()
    assert.equal(claimsOf(first).sub, user.id)
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), expires_at_ms: 0 }))
    const second = (await run('whoami', '--token')).stdout.trim()
    assert.notEqual(second, first)
    assert.equal(claimsOf(second).gid, claimsOf(first).gid)
    assert.equal(statSync(file).mode & 0o777, 0o600)

    assert.equal((await run('whoami', '--sign-out')).exitCode, 0)
    const verdict = await server.manage('POST', '/v1/verify', { credential: second, resource: API })
    assert.equal(verdict.valid, false)
    const nobody = await run('whoami')
    assert.equal(nobody.exitCode, 5)
    assert.match(nobody.stderr, /Nobody has signed in here/)
  })

  it('says what is wrong with a client, a server, and plain http', async () => {
    const other = await run('login', '--server', server.issuer, '--client', 'cli_nobody')
    assert.deepEqual([other.exitCode, /was refused/.test(other.stderr)], [1, true], other.stderr)
    const nowhere = await run('login', '--server', 'http://localhost:1', '--client', client.id)
    assert.equal(nowhere.exitCode, 4)
    const plain = await run('login', '--server', 'http://id.example.com', '--client', client.id)
    assert.match(plain.stderr, /plain http beyond loopback/)
    assert.equal((await run('login', '--client', client.id)).exitCode, 2)
  })

  it('tokens revoke ends one token, read from a pipe', async () => {
    const service = await newClient(server, { resources: [{ resource: API }] })
    const own = basic(service.id, service.client_secret)
    const { body } = await server.form('/token', { grant_type: 'client_credentials' }, own)
    const token = body.access_token
    const env = { POSTERN_URL: server.issuer, POSTERN_OPERATOR_KEY: server.operatorKey }
    const revoke = () => capture(['tokens', 'revoke', '-'], NO_DEPS, { env, stdin: token })
    const done = await revoke()
    assert.equal(done.exitCode, 0, done.stderr)
    assert.match(done.stderr, new RegExp(`Revoked ${claimsOf(token).jti}`))
    const verdict = await server.manage('POST', '/v1/verify', { credential: token, resource: API })
    assert.equal(verdict.code, 'revoked')
    const again = await revoke()
    assert.equal(again.exitCode, 0)
    assert.match(again.stderr, /had been revoked before/)
    const argument = await capture(['tokens', 'revoke', token], NO_DEPS, { env })
    assert.equal(argument.exitCode, 2)
    assert.ok(!argument.stderr.includes(token))
  })
})
