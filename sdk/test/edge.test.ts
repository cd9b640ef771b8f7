/** The built package in one file, as frameworks for edge runtimes bundle it, in a context with the web's globals alone. */
import { build } from 'esbuild'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { createContext, Script } from 'node:vm'
import type * as Next from '../src/adapters/next.ts'
import type * as Sdk from '../src/index.ts'
import type * as Testing from '../src/testing/index.ts'

const SDK = join(import.meta.dirname, '..')
/** What every edge runtime has. No `process`, no `Buffer`, no `require`; promises of `crypto` are of another realm. */
const GLOBALS =
  'AbortController AbortSignal Headers ReadableStream Request Response TextDecoder TextEncoder URL atob btoa clearTimeout console crypto fetch performance setTimeout'

let folder: string
let code: string

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-edge-'))
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', folder], { cwd: SDK })
  const modules = ['index', 'adapters/next', 'testing/index']
  const { outputFiles, warnings } = await build({
    stdin: {
      contents: modules.map((name) => `export * from './${name}.js'`).join('\n'),
      resolveDir: folder,
    },
    bundle: true,
    write: false,
    // Resolves nothing that is Node's: what still imports it fails here.
    platform: 'browser',
    format: 'iife',
    globalName: 'bundle',
  })
  assert.deepEqual(warnings, [])
  code = outputFiles[0]?.text ?? ''
})
after(() => rmSync(folder, { recursive: true, force: true }))

function load(): typeof Sdk & typeof Next & typeof Testing {
  const names = GLOBALS.split(' ')
  const context = createContext(
    Object.fromEntries(names.map((name) => [name, globalThis[name as keyof typeof globalThis]])),
  )
  new Script(`${code}\nglobalThis.bundle = bundle`).runInContext(context)
  return context['bundle'] as ReturnType<typeof load>
}

test('verifies a token and a key, and refuses what was revoked or forged', async () => {
  const { createTestIssuer, settle } = load()
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  await settle()
  assert.equal(verifier.status().state, 'live')
  const { id, text } = await issuer.issueToken({ scopes: ['orders:read'] })
  const key = issuer.issueKey()
  const [header, payload, signature = ''] = text.split('.')
  const forged = `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
  const codeOf = async (credential: string) => {
    const result = await verifier.verify(credential)
    return result.valid ? 'valid' : result.code
  }
  assert.equal(await codeOf(forged), 'unknown')
  for (let round = 0; round < 2; round++) assert.equal(await codeOf(text), 'valid')
  assert.equal(await codeOf(key.text), 'valid')
  assert.equal(issuer.questions.length, 1)
  issuer.revoke('token', id)
  issuer.revoke('api_key', key.id)
  await settle()
  assert.equal(await codeOf(text), 'revoked')
  assert.equal(await codeOf(key.text), 'revoked')
  assert.equal(issuer.questions.length, 1)
  verifier.close()
})

test("guards Next's route handlers and its proxy on the edge", async () => {
  const { createTestIssuer, createGuard, createProxyGuard } = load()
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const { text } = await issuer.issueToken({ scopes: ['orders:read'] })
  const request = (authorization?: string) =>
    new Request('https://shop.example.com/api/orders', { headers: authorization ? { authorization } : {} })
  const postern = createGuard(verifier)
  const GET = postern('orders:read', (_request, _context: object, principal) =>
    Response.json({ sub: principal.sub }),
  )
  const answer = await GET(request(`Bearer ${text}`), {})
  assert.deepEqual(await answer.json(), { sub: 'acct_7' })
  assert.equal((await GET(request(), {})).status, 401)
  const check = createProxyGuard(verifier)
  assert.equal(await check(request(`Bearer ${text}`), 'orders:read'), undefined)
  assert.equal((await check(request(`Bearer ${text}`), 'orders:write'))?.status, 403)
  verifier.close()
})
