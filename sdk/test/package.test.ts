/** The package as its users get it: packed, installed into an empty project, imported and required. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, test, after } from 'node:test'
import { fakeServer } from './support/fake-server.ts'
import { accepted, aKey, OWN_CREDENTIAL, RESOURCE } from './support/wire.ts'

const SDK = join(import.meta.dirname, '..')
const MODULES = join(SDK, '..', 'node_modules')
const SUBPATHS = [
  '@postern/sdk',
  '@postern/sdk/express',
  '@postern/sdk/fastify',
  '@postern/sdk/hono',
  '@postern/sdk/node',
]

let project: string

function run(command: string, ...parameters: string[]): string {
  return execFileSync(command, parameters, {
    cwd: project,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

before(() => {
  project = mkdtempSync(join(tmpdir(), 'postern-sdk-'))
  execFileSync('npm', ['pack', '--pack-destination', project], { cwd: SDK, stdio: 'pipe' })
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz'))
  assert.ok(tarball)
  writeFileSync(join(project, 'package.json'), '{ "name": "empty", "private": true }')
  run('npm', 'install', '--offline', '--no-audit', '--no-fund', `./${tarball}`)
})

after(() => rmSync(project, { recursive: true, force: true }))

test('installs nothing but itself, and ships no source', () => {
  assert.deepEqual(readdirSync(join(project, 'node_modules', '@postern')), ['sdk'])
  assert.deepEqual(
    readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.')),
    ['@postern'],
  )
  const shipped = readdirSync(join(project, 'node_modules', '@postern', 'sdk'), {
    recursive: true,
  }) as string[]
  const odd = shipped.filter((path) => !/^(package\.json|LICENSE|README\.md|dist(\/.*)?)$/.test(path))
  assert.deepEqual(odd, [])
  assert.ok(shipped.every((path) => !path.endsWith('.ts') || path.endsWith('.d.ts')))
})

test('can be imported and required, and every subpath has the same names both ways', () => {
  const script =
    'Promise.all(NAMES.map((n) => LOAD(n))).then((m) => console.log(JSON.stringify(m.map((x) => Object.keys(x).sort()))))'
  const with_ = (load: string) => script.replace('NAMES', JSON.stringify(SUBPATHS)).replace('LOAD(n)', load)
  const imported = run(process.execPath, '--input-type=module', '-e', with_('import(n)'))
  const required = run(process.execPath, '--input-type=commonjs', '-e', with_('require(n)'))
  assert.deepEqual(JSON.parse(required), JSON.parse(imported))
  assert.ok((JSON.parse(imported) as string[][])[0]?.includes('createVerifier'))
})

for (const [what, load] of [
  ['module', "import { createVerifier } from '@postern/sdk'"],
  ['commonjs', "const { createVerifier } = require('@postern/sdk')"],
] as const)
  test(`verifies, as ${what}`, async (t) => {
    const server = await fakeServer(t, accepted())
    const options = JSON.stringify({ server: server.url, credential: OWN_CREDENTIAL, resource: RESOURCE })
    const script = `${load}
      const verifier = createVerifier(${options})
      Promise.resolve(verifier.verify('${aKey()}')).then((first) => {
        const again = verifier.verify('${aKey()}')
        console.log(JSON.stringify([first.sub, again.sub]))
      })`
    const { spawn } = await import('node:child_process')
    const child = spawn(process.execPath, [`--input-type=${what}`, '-e', script], { cwd: project })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    await new Promise((resolve) => child.on('close', resolve))
    assert.equal(output.trim(), '["acct_7","acct_7"]')
  })

test('has types for ES modules and CommonJS, with the frameworks that a project has', () => {
  for (const name of ['@types', 'express', 'fastify', 'hono'])
    symlinkSync(join(MODULES, name), join(project, 'node_modules', name))
  cpSync(join(SDK, 'test', 'support', 'consumer.txt'), join(project, 'consumer.mts'))
  cpSync(join(SDK, 'test', 'support', 'consumer.txt'), join(project, 'consumer.cts'))
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--types', 'node']
  const compile = (...files: string[]) =>
    run(
      process.execPath,
      join(MODULES, 'typescript', 'bin', 'tsc'),
      ...options,
      '--module',
      'nodenext',
      ...files,
    )
  compile('consumer.mts', 'consumer.cts')
  // The types are there, rather than any: a wrong one is an error.
  writeFileSync(
    join(project, 'wrong.mts'),
    "import { createVerifier } from '@postern/sdk'\ncreateVerifier({ server: 7 })\n",
  )
  assert.throws(() => compile('wrong.mts'), /Command failed/)
})

test('declares every subpath and nothing at run time', () => {
  const manifest = JSON.parse(readFileSync(join(SDK, 'package.json'), 'utf8')) as Record<string, object>
  assert.equal(manifest['dependencies'], undefined)
  const declared = Object.keys(manifest['exports'] as object).filter((name) => name !== './package.json')
  assert.deepEqual(
    declared.map((name) => name.replace('.', '@postern/sdk')),
    SUBPATHS,
  )
})
