/** `leaks scan`: a folder as a build leaves it, and a git history in which a key was taken out again. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { generateKey } from '../../api-keys/key-format.ts'
import { capture, NO_DEPS } from '../testing/capture.ts'
import { startDeployment, type TestDeployment } from '../testing/deployment.ts'

const { key, lookup } = generateKey('acme', 'live')
let deployment: TestDeployment
let folder: string

before(async () => {
  deployment = await startDeployment('remote')
  folder = mkdtempSync(join(tmpdir(), 'postern-scan-'))
  mkdirSync(join(folder, 'dist/assets'), { recursive: true })
  writeFileSync(join(folder, '.env'), `A=1\nPOSTERN_KEY=${key}\n`)
  writeFileSync(join(folder, 'README.md'), `Not a key: ${key.slice(0, -1)}$ and sk_live_${'0'.repeat(50)}`)
})
after(async () => {
  await deployment.drop()
  rmSync(folder, { recursive: true, force: true })
})

const scan = (...argv: string[]) => capture(['leaks', 'scan', folder, ...argv], NO_DEPS, { env: {} })
const ask = (...argv: string[]) =>
  capture(['leaks', 'scan', folder, ...argv], deployment.deps, { env: deployment.env })
const git = (...argv: string[]): string =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=T', '-c', 'user.email=t@example.com', ...argv], {
    encoding: 'utf8',
  })

it('finds keys in a folder, prints the public parts alone, and ends with 3', async () => {
  // A bundle of some megabytes on one line, as bundlers write them.
  const filler = 'function e(t){return t};'.repeat(150_000)
  writeFileSync(join(folder, 'dist/assets/index.js'), `${filler}const k="${deployment.demoKey}";${filler}`)
  symlinkSync(folder, join(folder, 'loop'))
  const { stdout, stderr, exitCode } = await scan()
  assert.equal(exitCode, 3)
  const lines = stdout.trim().split('\n').sort()
  assert.equal(lines.length, 2)
  assert.equal(lines[0], `.env:2:13  acme_live_${lookup}…${key.slice(-4)}`)
  assert.match(lines[1] as string, /^dist\/assets\/index\.js:1:3600010 {2}sk_live_\w{12}…\w{4}$/)
  assert.match(stderr, /Found 2 keys/)
  for (const secret of [key, deployment.demoKey, key.slice(-12, -4)])
    assert.ok(!(stdout + stderr).includes(secret))
})

it('prints one line of JSON each with --json', async () => {
  const { stdout } = await scan('--json')
  const places = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const env = places.find(({ file }) => file === '.env')
  assert.deepEqual(env, {
    file: '.env',
    line: 2,
    column: 13,
    prefix: 'acme',
    environment: 'live',
    lookup,
    last4: key.slice(-4),
  })
  assert.ok(!stdout.includes(key))
})

it('asks the server whose each is with --report, and changes nothing', async () => {
  const { stdout, exitCode } = await ask('--report')
  assert.equal(exitCode, 3)
  assert.match(stdout, /is no key of this deployment/)
  assert.match(stdout, /key_\w{22} {2}demo {2}https:\/\/api\.example\.com {2}active\n/)
  const again = await ask('--report')
  assert.match(again.stdout, /active\n/)
})

it('has the policy applied with --act', async () => {
  assert.match((await ask('--report', '--act')).stdout, /revoked, revoked now\n/)
  assert.match((await ask('--report')).stdout, /revoked\n/)
  const listed = await capture(['leaks', 'list', '--json'], deployment.deps, { env: deployment.env })
  assert.match(listed.stdout, /dist\/assets\/index\.js:1/)
})

it('finds what was taken out again in the history of git, and names the commit', async () => {
  git('init', '-q')
  git('add', '.env')
  git('commit', '-qm', `Put the key in`)
  const commit = git('rev-parse', 'HEAD').trim()
  writeFileSync(join(folder, '.env'), 'A=1\n')
  git('commit', '-qam', 'Take the key out')
  git('commit', '-q', '--allow-empty', '-m', `It was ${key}`)
  const files = await scan()
  assert.ok(!files.stdout.includes('.env'))
  const { stdout, exitCode } = await scan('--history')
  assert.equal(exitCode, 3)
  const lines = stdout.trim().split('\n')
  assert.equal(lines.length, 2)
  assert.ok(lines.some((line) => line.startsWith('.env:2:13') && line.endsWith(`in ${commit.slice(0, 12)}`)))
  assert.ok(lines.some((line) => line.startsWith('(commit):')))
})

it('ends with 0 where there is nothing, and 2 where there is nothing to look at', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'postern-scan-'))
  const of = (...argv: string[]) => capture(['leaks', 'scan', ...argv], NO_DEPS, { env: {} })
  assert.equal((await of(empty)).exitCode, 0)
  assert.equal((await of(empty, '--history')).exitCode, 2)
  assert.equal((await of(join(empty, 'nothing'))).exitCode, 2)
  assert.equal((await of(empty, '--act')).exitCode, 2)
  rmSync(empty, { recursive: true })
})
