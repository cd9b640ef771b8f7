/** The first start: one deployment however many processes begin at once, readable by nobody else on the machine. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freshSqlite, onBothDatabases, type TestDatabase } from './databases.ts'
import { ROOT_SECRET, openNode, testConfig, TestClock } from './deployment.ts'
import { openDeployment } from '../src/app.ts'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

interface Ran {
  readonly output: string
  readonly code: number | null
}

/** `serve` in a process of its own, ended once it says that it is ready (or has ended by itself). */
function serve({ location }: TestDatabase, env: Record<string, string> = {}): Promise<Ran> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'serve'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      POSTERN_DATA: location.dataDir,
      POSTERN_PORT: '0',
      POSTERN_LOG_LEVEL: 'warn',
      ...(location.databaseUrl !== undefined && {
        POSTERN_DATABASE_URL: location.databaseUrl,
        POSTERN_ROOT_SECRET: ROOT_SECRET,
      }),
      ...env,
    },
  })
  let output = ''
  const hear = (bytes: Buffer): void => {
    output += bytes.toString()
    // What follows the first line, the keys among it, is written at once.
    if (output.includes('is ready at')) setTimeout(() => child.kill('SIGTERM'), 200)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  return new Promise((resolve) => child.on('close', (code) => resolve({ output, code })))
}

onBothDatabases('the first start', (fresh) => {
  it('makes one deployment when two processes start at once, and one of them has its keys', async () => {
    for (let round = 0; round < 4; round++) {
      const database = await fresh()
      // A folder that is not there yet, as on a new machine.
      rmSync(database.location.dataDir, { recursive: true })
      const ran = await Promise.all([serve(database), serve(database), serve(database)])
      for (const { output, code } of ran) {
        assert.equal(code, 0, output)
        assert.match(output, /Postern is ready at/)
      }
      const keys = ran.flatMap(({ output }) => output.match(/postern_live_[0-9A-Za-z]{50}/g) ?? [])
      const file = join(database.location.dataDir, 'operator-key')
      const printed = new Set(existsSync(file) ? [readFileSync(file, 'utf8').trim()] : keys)
      assert.equal(printed.size, 1)
      const told = ran.filter(({ output }) => /shown this once|was written to/.test(output))
      assert.equal(told.length, 1)
      const rootSecret =
        database.dialect === 'postgres'
          ? ROOT_SECRET
          : readFileSync(join(database.location.dataDir, 'root-secret'), 'utf8').trim()
      const node = await openNode(database, {
        operatorKey: [...printed][0] as string,
        clock: new TestClock(Date.now()),
        env: { POSTERN_ROOT_SECRET: rootSecret },
      })
      assert.equal((await node.done('GET', '/v1/operators')).data.length, 1)
      assert.equal((await node.done('GET', '/v1/tenants')).data.length, 1)
      assert.equal((await node.done('POST', '/v1/audit/verify', {})).ok, true)
      await node.close()
    }
  })

  it('says its keys on the first start alone', async () => {
    const database = await fresh()
    const first = await serve(database)
    const later = await serve(database)
    assert.match(first.output, database.dialect === 'sqlite' ? /shown this once/ : /was written to/)
    assert.equal(later.code, 0)
    assert.ok(!/_live_|operator-key/.test(later.output), later.output)
  })

  it('refuses to start with another root secret, and shows neither', async () => {
    const database = await fresh()
    const node = await openNode(database)
    await node.close()
    const other = 'another secret, which is long enough as well'
    await assert.rejects(
      openDeployment(testConfig(database, { POSTERN_ROOT_SECRET: other }), {
        setUp: true,
        clock: new TestClock(),
      }),
      (error: Error) =>
        /root secret is not the one/.test(error.message) &&
        !error.message.includes(other) &&
        !error.message.includes(ROOT_SECRET),
    )
    const ran = await serve(database, { POSTERN_ROOT_SECRET: other })
    assert.notEqual(ran.code, 0)
    assert.match(ran.output, /root secret is not the one/)
    assert.ok(!ran.output.includes(other) && !/^\s+at /m.test(ran.output), ran.output)
  })
})

it('keeps its folder and files from other users of the machine', async () => {
  const database = freshSqlite()
  rmSync(database.location.dataDir, { recursive: true })
  // The process inherits it: what is made with no mode of its own would be open to all.
  const umask = process.umask(0)
  const running = serve(database)
  process.umask(umask)
  const { output, code } = await running
  assert.equal(code, 0, output)
  const folder = database.location.dataDir
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  const files = readdirSync(folder)
  assert.ok(files.includes('postern.db') && files.includes('root-secret') && files.includes('feed-head'))
  for (const file of files) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file)
  await database.drop()
})

it('keeps the write-ahead log from other users of the machine while it runs', async () => {
  const database = freshSqlite()
  const umask = process.umask(0)
  const node = await openNode(database)
  process.umask(umask)
  const files = readdirSync(database.location.dataDir).filter((file) => file.startsWith('postern.db'))
  assert.ok(files.length >= 3, files.join(' '))
  for (const file of files)
    assert.equal(statSync(join(database.location.dataDir, file)).mode & 0o777, 0o600, file)
  await node.close()
  await database.drop()
})
