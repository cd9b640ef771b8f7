import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { freePort } from '../../test/postgres-cluster.ts'
import { onBothDatabases, type TestDatabase } from '../../test/databases.ts'
import { openDeployment } from '../app.ts'
import { loadConfig } from '../config.ts'
import { systemClock } from '../kernel/index.ts'
import { migrate, openStorage } from '../storage/index.ts'
import { checkDisk, checkFileSystem } from './doctor/check-files.ts'
import { compareClocks, compareWithHistory } from './doctor/check-machine.ts'
import { requireOwnFolder } from './local-checks.ts'
import { capture, NO_DEPS } from './testing/capture.ts'
import { LOCAL_DEPS, startDeployment, type TestDeployment } from './testing/deployment.ts'

const KEY = `postern_live_${'A'.repeat(50)}`

describe('the server of POSTERN_URL', () => {
  let deployment: TestDeployment
  before(async () => {
    deployment = await startDeployment('remote')
  })
  after(() => deployment.drop())
  const list = (env: NodeJS.ProcessEnv, ...more: string[]) =>
    capture(['tenants', 'list', ...more], NO_DEPS, { env })

  it('needs both variables, so that half of them never means the data folder', async () => {
    for (const env of [{ POSTERN_URL: 'https://postern.example' }, { POSTERN_OPERATOR_KEY: KEY }]) {
      const { exitCode, stderr } = await list(env)
      assert.equal(exitCode, 2)
      assert.match(stderr, /is set, but POSTERN_\w+ is not/)
    }
  })

  it('is not spoken to in plain http beyond loopback', async () => {
    const { exitCode, stderr } = await list({
      POSTERN_URL: 'http://postern.example',
      POSTERN_OPERATOR_KEY: KEY,
    })
    assert.equal(exitCode, 2)
    assert.match(stderr, /plain http beyond loopback/)
  })

  it('that is not there ends with 4 and asks whether it is running', async () => {
    const { exitCode, stderr } = await list({
      POSTERN_URL: `http://127.0.0.1:${await freePort()}`,
      POSTERN_OPERATOR_KEY: KEY,
    })
    assert.equal(exitCode, 4)
    assert.match(stderr, /cannot be reached[^]*npm start/)
  })

  it('that does not know the key ends with 5 and names the variable', async () => {
    const { exitCode, stderr } = await list({ ...deployment.env, POSTERN_OPERATOR_KEY: KEY })
    assert.equal(exitCode, 5)
    assert.match(stderr, /Check POSTERN_OPERATOR_KEY/)
    assert.doesNotMatch(stderr, /AAAA/)
  })

  it('that refuses for want of a scope ends with 5 and names the scope', async () => {
    const { env, deps } = deployment
    const argv = ['operators', 'create', '--name', 'auditor', '--scope', 'audit:read', '--quiet']
    const auditor = (await capture(argv, deps, { env })).stdout.trim()
    const { exitCode, stderr } = await list({ ...env, POSTERN_OPERATOR_KEY: auditor })
    assert.equal(exitCode, 5)
    assert.match(stderr, /needs the scope tenants:read/)
  })

  it('answers --json with the error as JSON and nothing on stdout', async () => {
    const { stdout, stderr } = await list({ ...deployment.env, POSTERN_OPERATOR_KEY: KEY }, '--json')
    assert.equal(stdout, '')
    const { error } = JSON.parse(stderr) as { error: { exit_code: number; code: string } }
    assert.deepEqual([error.exit_code, typeof error.code], [5, 'string'])
  })

  it('shows no credential that was typed in the wrong place', async () => {
    const { stderr } = await capture(['keys', 'list', '--limit', KEY], NO_DEPS, { env: deployment.env })
    assert.doesNotMatch(stderr, /AAAA/)
  })
})

describe('the data folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-target-'))
  const env = { POSTERN_DATA: folder }
  after(() => rmSync(folder, { recursive: true, force: true }))
  const list = () => capture(['tenants', 'list'], NO_DEPS, { env })

  it("of another user is refused: what is written there would not be the server's", () => {
    const owner = process.getuid?.() ?? 0
    assert.throws(() => requireOwnFolder(loadConfig(env), owner + 1), /belongs to another user/)
    requireOwnFolder(loadConfig(env), owner)
  })

  it('without a deployment is not made into one', async () => {
    const { exitCode, stderr } = await list()
    assert.equal(exitCode, 1)
    assert.match(stderr, /There is no deployment[^]*npm start/)
  })

  it('with an older schema is not touched until `migrate` is run, which says what it did', async () => {
    const storage = await openStorage({ dataDir: folder }, systemClock)
    await storage.close()
    const refused = await list()
    assert.equal(refused.exitCode, 1)
    assert.match(refused.stderr, /lacks 001-core[^]*postern migrate/)
    const migrated = await capture(['migrate', '--check', '--json'], NO_DEPS, { env })
    assert.equal(migrated.exitCode, 3)
    assert.deepEqual(JSON.parse(migrated.stdout).migrated, [])
    assert.match((await capture(['migrate'], NO_DEPS, { env })).stdout, /applied +001-core +\(just now\)/)
  })

  it('with a newer schema is left to the newer Postern', async () => {
    const storage = await openStorage({ dataDir: folder }, systemClock)
    await migrate(storage, Date.now())
    await storage.write(async (tx) => {
      await sql`INSERT INTO schema_migrations VALUES ('999-future', 0)`.execute(tx.over())
    })
    await storage.close()
    for (const argv of [['tenants', 'list'], ['migrate']]) {
      const { exitCode, stderr } = await capture(argv, NO_DEPS, { env })
      assert.equal(exitCode, 1)
      assert.match(stderr, /newer Postern \(999-future\)/)
    }
  })
})

describe('doctor', () => {
  let deployment: TestDeployment
  before(async () => {
    deployment = await startDeployment('local')
  })
  after(() => deployment.drop())
  const doctor = async (...argv: string[]) => {
    const { env, deps } = deployment
    const { stdout, exitCode } = await capture(['doctor', '--json', ...argv], deps, { env })
    const { findings } = JSON.parse(stdout) as {
      findings: { check: string; level: string; remedy?: string }[]
    }
    return {
      exitCode,
      findings,
      levelOf: (check: string) => findings.find((one) => one.check === check)?.level,
    }
  }

  it('finds a new deployment in order but for its only operator', async () => {
    const { exitCode, findings } = await doctor()
    assert.equal(exitCode, 0)
    assert.deepEqual(
      findings.filter(({ level }) => level !== 'ok').map(({ check }) => check),
      ['operators'],
    )
    assert.ok(findings.length > 10)
  })

  it('fails with 3 when others may read the root secret, and says what to run', async () => {
    chmodSync(join(deployment.folder, 'root-secret'), 0o644)
    const { exitCode, findings } = await doctor()
    chmodSync(join(deployment.folder, 'root-secret'), 0o600)
    assert.equal(exitCode, 3)
    const { level, remedy } =
      findings.find(({ check }) => check === 'permissions') ?? assert.fail('not found')
    assert.equal(level, 'fail')
    assert.match(remedy ?? '', /chmod/)
  })

  it('warns of keys that never end', async () => {
    const { env, deps } = deployment
    const create = ['keys', 'create', '--owner', 'acme', '--expires', 'never', '--quiet']
    assert.equal((await capture(create, deps, { env })).exitCode, 0)
    assert.equal((await doctor()).levelOf('keys_without_expiry'), 'warn')
  })

  it('fails when the clock was put back, and warns when it differs from another one', () => {
    const now = Date.now()
    assert.equal(compareWithHistory(now + 60_000, now).level, 'fail')
    assert.equal(compareWithHistory(now - 60_000, now).level, 'ok')
    assert.equal(compareClocks(60_000, 'the server').level, 'warn')
    assert.equal(compareClocks(-1_000, 'the server').level, 'ok')
  })

  it('fails for SQLite on a network file system and for a full disk', () => {
    assert.equal(checkFileSystem('/data', 0x6969).level, 'fail')
    assert.equal(checkFileSystem('/data', 0xef53).level, 'ok')
    assert.deepEqual(
      [50_000_000, 500_000_000, 5_000_000_000].map((bytes) => checkDisk('/data', bytes).level),
      ['fail', 'warn', 'ok'],
    )
  })

  it('names a folder without a deployment, and does not go on', async () => {
    const { exitCode, levelOf } = await doctor('--data', join(deployment.folder, 'nowhere'))
    assert.equal(exitCode, 3)
    assert.equal(levelOf('database'), 'fail')
    assert.equal(levelOf('operators'), undefined)
  })
})

describe('a question on the terminal', () => {
  let deployment: TestDeployment
  before(async () => {
    deployment = await startDeployment('local')
  })
  after(() => deployment.drop())
  const typing = (argv: string[], ...typed: string[]) =>
    capture(argv, deployment.deps, { env: { ...deployment.env, NO_COLOR: '1' }, typed, columns: 100 })

  it('goes on only when the number of keys is typed', async () => {
    const argv = ['keys', 'bulk-revoke', '--owner', 'demo']
    const refused = await typing(argv, 'yes')
    assert.equal(refused.exitCode, 1)
    assert.match(refused.stderr, /Not confirmed; nothing was changed/)
    assert.equal((await typing(argv, '1')).stdout, 'Revoked 1 key.\n')
  })

  it('takes a credential that is not shown', async () => {
    const { stdout } = await typing(['verify', '--resource', 'https://api.example.com'], deployment.demoKey)
    assert.match(stdout, /code +revoked/)
    assert.equal(stdout.includes(deployment.demoKey), false)
  })

  it('colours what it prints, unless NO_COLOR is set', async () => {
    const { deps, env } = deployment
    const coloured = await capture(['tenants', 'list'], deps, { env, typed: [] })
    assert.ok(coloured.stdout.includes('\u001b[32mactive'))
    assert.ok(!(await typing(['tenants', 'list'])).stdout.includes('\u001b'))
  })
})

const ROOT_SECRET = 'not-so-random-but-0123456789-long-enough'

onBothDatabases('in process', (fresh) => {
  let database: TestDatabase
  let env: NodeJS.ProcessEnv
  before(async () => {
    database = await fresh()
    env = {
      POSTERN_DATABASE_URL: database.location.databaseUrl,
      POSTERN_DATA: database.location.dataDir,
      POSTERN_ROOT_SECRET: ROOT_SECRET,
      POSTERN_LOG_LEVEL: 'silent',
    }
    assert.match((await capture(['migrate'], NO_DEPS, { env })).stdout, /001-core +\(just now\)/)
  })

  it('makes no deployment where there is none', async () => {
    const { exitCode, stderr } = await capture(['tenants', 'list'], LOCAL_DEPS, { env })
    assert.equal(exitCode, 1)
    assert.match(stderr, /npm start|postern serve/)
  })

  it('works on the database, is examined by doctor, and shows no password', async () => {
    const deployment = await openDeployment(loadConfig(env), { setUp: true })
    await deployment.close()
    const listed = await capture(['tenants', 'list'], LOCAL_DEPS, { env })
    assert.match(listed.stdout, /default/, listed.stderr)
    const checked = await capture(['doctor'], LOCAL_DEPS, { env })
    assert.equal(checked.exitCode, 0, checked.stdout)
    assert.match(checked.stdout, /ok +The clock has not been put back/)
    assert.doesNotMatch(checked.stdout + checked.stderr, /postgres:postgres/)
  })

  it('is refused with another root secret', async () => {
    const foreign = { ...env, POSTERN_ROOT_SECRET: `${ROOT_SECRET}!` }
    const { exitCode, stderr } = await capture(['tenants', 'list'], LOCAL_DEPS, { env: foreign })
    assert.equal(exitCode, 1)
    assert.match(stderr, /root secret is not the one/)
  })
})

it('a Postgres that cannot be reached ends with 4, and doctor says so, without its password', async () => {
  const env = {
    POSTERN_DATABASE_URL: `postgres://postgres:hunter2@127.0.0.1:${await freePort()}/nowhere`,
    POSTERN_ROOT_SECRET: ROOT_SECRET,
  }
  const { exitCode, stderr } = await capture(['tenants', 'list'], LOCAL_DEPS, { env })
  assert.equal(exitCode, 4, stderr)
  const checked = await capture(['doctor'], LOCAL_DEPS, { env })
  assert.equal(checked.exitCode, 3)
  assert.match(checked.stdout, /fail [^]*POSTERN_DATABASE_URL/)
  assert.doesNotMatch(stderr + checked.stdout, /hunter2/)
})
