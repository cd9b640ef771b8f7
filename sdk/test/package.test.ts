/** The package as its users get it: packed, installed into an empty project, imported and required; and the examples on it. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import assert from 'node:assert/strict'
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fakeServer } from './support/fake-server.ts'
import { accepted, aKey, OWN_CREDENTIAL, refused, RESOURCE } from './support/wire.ts'

const SDK = join(import.meta.dirname, '..')
const MODULES = join(SDK, '..', 'node_modules')
const SUBPATHS = [
  '@postern/sdk',
  '@postern/sdk/express',
  '@postern/sdk/fastify',
  '@postern/sdk/hono',
  '@postern/sdk/node',
  '@postern/sdk/next',
  '@postern/sdk/mcp',
  '@postern/sdk/web',
  '@postern/sdk/testing',
  '@postern/sdk/identity',
  '@postern/sdk/webhooks',
]
const EXAMPLES = ['express', 'fastify', 'hono', 'node-http']

/** An empty project with the package, and one that has the frameworks, too. */
let project: string
let withFrameworks: string

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

  withFrameworks = mkdtempSync(join(tmpdir(), 'postern-sdk-'))
  mkdirSync(join(withFrameworks, 'node_modules'))
  writeFileSync(join(withFrameworks, 'package.json'), '{ "type": "module" }')
  cpSync(join(project, 'node_modules', '@postern'), join(withFrameworks, 'node_modules', '@postern'), {
    recursive: true,
  })
  for (const name of [
    '@types',
    '@hono',
    '@modelcontextprotocol',
    'express',
    'fastify',
    'hono',
    'jose',
    'openid-client',
    'oauth4webapi',
    'zod',
  ])
    symlinkSync(join(MODULES, name), join(withFrameworks, 'node_modules', name))
})

after(() => {
  for (const folder of [project, withFrameworks]) if (folder) rmSync(folder, { recursive: true, force: true })
})

test('installs nothing but itself, and ships no source', () => {
  const installed = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'))
  assert.deepEqual(installed, ['@postern'])
  assert.deepEqual(readdirSync(join(project, 'node_modules', '@postern')), ['sdk'])
  const shipped = readdirSync(join(project, 'node_modules', '@postern', 'sdk'), {
    recursive: true,
  }) as string[]
  const odd = shipped.filter((path) => !/^(package\.json|LICENSE|README\.md|dist(\/.*)?)$/.test(path))
  assert.deepEqual(odd, [])
  assert.ok(shipped.every((path) => !path.endsWith('.ts') || path.endsWith('.d.ts')))
})

test('can be imported and required, and every subpath has the same names both ways', () => {
  const namesBy = (load: string) =>
    `Promise.all(${JSON.stringify(SUBPATHS)}.map((name) => ${load}(name)))
      .then((all) => console.log(JSON.stringify(all.map((one) => Object.keys(one).sort()))))`
  const imported = run(process.execPath, '--input-type=module', '-e', namesBy('((name) => import(name))'))
  const required = run(process.execPath, '--input-type=commonjs', '-e', namesBy('require'))
  assert.deepEqual(JSON.parse(required), JSON.parse(imported))
  assert.ok((JSON.parse(imported) as string[][])[0]?.includes('createVerifier'))
})

for (const [what, load] of [
  ['module', "import { createVerifier } from '@postern/sdk'"],
  ['commonjs', "const { createVerifier } = require('@postern/sdk')"],
] as const)
  test(`verifies, as ${what}`, async (t) => {
    const server = await fakeServer(t, accepted())
    const about = { server: server.url, credential: OWN_CREDENTIAL, resource: RESOURCE, live: false }
    const options = JSON.stringify(about)
    const script = `${load}
      const verifier = createVerifier(${options})
      Promise.resolve(verifier.verify('${aKey()}')).then((first) => {
        const again = verifier.verify('${aKey()}')
        console.log(JSON.stringify([first.sub, again.sub]))
      })`
    const child = spawn(process.execPath, [`--input-type=${what}`, '-e', script], { cwd: project })
    assert.equal((await outputOf(child)).trim(), '["acct_7","acct_7"]')
  })

test('has types for ES modules and CommonJS, with the frameworks that a project has', () => {
  const files = ['mts', 'cts'].map((extension) => join(withFrameworks, `consumer.${extension}`))
  for (const file of files) cpSync(join(SDK, 'test', 'support', 'consumer.txt'), file)
  const compiler = join(MODULES, 'typescript', 'bin', 'tsc')
  const options = '--noEmit --strict --skipLibCheck --target es2022 --module nodenext --types node'.split(' ')
  const types = ['--typeRoots', join(MODULES, '@types')]
  run(process.execPath, compiler, ...options, ...types, ...files)
  // The types are there, rather than any: a wrong one is an error.
  const wrong = join(withFrameworks, 'wrong.mts')
  writeFileSync(wrong, "import { createVerifier } from '@postern/sdk'\ncreateVerifier({ server: 7 })\n")
  assert.throws(() => run(process.execPath, compiler, ...options, ...types, wrong), { stdout: /TS2322/ })
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

for (const name of EXAMPLES)
  test(`runs the example ${name}`, async (t) => {
    const both = accepted({ principal: { scopes: ['orders:read', 'orders:write'] } })
    const server = await fakeServer(t, both)
    const file = join(withFrameworks, `${name}.ts`)
    cpSync(join(SDK, '..', 'examples', name, 'server.ts'), file)
    const env = { ...process.env, POSTERN_SERVER: server.url, POSTERN_CREDENTIAL: OWN_CREDENTIAL, PORT: '0' }
    const child = spawn(process.execPath, [file], { env })
    t.after(() => child.kill())
    const base = `http://localhost:${await portOf(child)}`

    assert.equal((await fetch(`${base}/health`)).status, 200)
    assert.equal((await fetch(`${base}/orders`)).status, 401)
    assert.equal((await fetch(`${base}/orders`, { method: 'POST', body: '{}' })).status, 401)
    const headers = { authorization: `Bearer ${aKey()}`, 'content-type': 'application/json' }
    const placed = await fetch(`${base}/orders`, { method: 'POST', headers, body: '{"item":"tea"}' })
    assert.equal(placed.status, 201)
    const listed = (await (await fetch(`${base}/orders`, { headers })).json()) as { item: string }[]
    assert.deepEqual(
      listed.map(({ item }) => item),
      ['tea'],
    )
    for (const body of ['null', '{', '{"item":""}'])
      assert.equal((await fetch(`${base}/orders`, { method: 'POST', headers, body })).status, 400, body)
    server.script = accepted()
    const reader = { 'x-api-key': aKey(2), 'content-type': 'application/json' }
    assert.equal(
      (await fetch(`${base}/orders`, { method: 'POST', headers: reader, body: '{"item":"x"}' })).status,
      403,
    )
    server.script = refused('revoked')
    assert.equal((await fetch(`${base}/orders`, { headers: { 'x-api-key': aKey(3) } })).status, 401)
  })

test('runs the example mcp', async (t) => {
  const resource = 'http://localhost:3000/mcp'
  const scopes = ['notes:read', 'notes:write']
  const server = await fakeServer(t, accepted({ principal: { resource, scopes } }))
  const file = join(withFrameworks, 'mcp.ts')
  cpSync(join(SDK, '..', 'examples', 'mcp', 'server.ts'), file)
  const env = { ...process.env, POSTERN_SERVER: server.url, POSTERN_CREDENTIAL: OWN_CREDENTIAL, PORT: '0' }
  const child = spawn(process.execPath, [file], { env })
  t.after(() => child.kill())
  const base = `http://localhost:${await portOf(child)}`

  const refusedAtFirst = await fetch(`${base}/mcp`, { method: 'POST' })
  assert.equal(refusedAtFirst.status, 401)
  assert.match(
    refusedAtFirst.headers.get('www-authenticate') ?? '',
    /resource_metadata="http:\/\/localhost:3000/,
  )
  const metadata = await fetch(`${base}/.well-known/oauth-protected-resource/mcp`)
  assert.equal(((await metadata.json()) as { resource: string }).resource, resource)

  const call = async (seed: number, name: string, parameters: Record<string, unknown> = {}) => {
    const client = new Client({ name: 'test', version: '1.0.0' })
    const requestInit = { headers: { 'x-api-key': aKey(seed) } }
    await client.connect(new StreamableHTTPClientTransport(new URL(`${base}/mcp`), { requestInit }))
    const { content } = await client.callTool({ name, arguments: parameters })
    await client.close()
    return content.map((part) => (part.type === 'text' ? part.text : '')).join('')
  }
  assert.equal(await call(1, 'add_note', { text: 'tea' }), 'Added.')
  assert.equal(await call(1, 'list_notes'), 'acct_7: tea')
  server.script = accepted({ principal: { resource, scopes: ['notes:read'] } })
  await assert.rejects(call(2, 'add_note', { text: 'coffee' }), /insufficient_scope|Insufficient scope/i)
  server.script = accepted({ principal: { resource, scopes, tenant: 'ten_0000000000000000000002' } })
  assert.equal(await call(3, 'list_notes'), 'No notes yet.')
})

test('runs the example web', async (t) => {
  const server = await fakeServer(t, accepted())
  const file = join(withFrameworks, 'web.ts')
  cpSync(join(SDK, '..', 'examples', 'web', 'server.ts'), file)
  const env = {
    ...process.env,
    POSTERN_ISSUER: server.url,
    POSTERN_CREDENTIAL: OWN_CREDENTIAL,
    POSTERN_CLIENT_ID: 'cli_1',
    POSTERN_CLIENT_SECRET: 'cs_1',
    POSTERN_WEB_KEYS: Buffer.alloc(32).toString('base64url'),
    PORT: '0',
    APP_ORIGIN: 'http://localhost:3000',
  }
  const child = spawn(process.execPath, [file], { env })
  t.after(() => child.kill())
  const base = `http://localhost:${await portOf(child)}`
  assert.match(await (await fetch(base)).text(), /Sign in/)
  assert.equal((await fetch(`${base}/orders`)).status, 401)
  assert.deepEqual(await (await fetch(`${base}/auth/session`)).json(), { signed_in: false })
  assert.equal((await fetch(`${base}/auth/login?return_to=//evil.example`)).status, 400)
})

function outputOf(child: ChildProcess): Promise<string> {
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)))
  return new Promise((resolve) => child.on('close', () => resolve(output)))
}

/** The port that an example says it listens on. */
function portOf(child: ChildProcess): Promise<string> {
  let output = ''
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        output += String(chunk)
        const port = /port: (\d+)/.exec(output)?.[1]
        if (port) resolve(port)
      })
    child.on('close', () => reject(new Error(`The example ended: ${output}`)))
  })
}
