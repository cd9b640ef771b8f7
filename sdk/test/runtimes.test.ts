/** Where there are web APIs and nothing else; and that a connection which is open keeps no program alive. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const url = (path: string) => JSON.stringify(pathToFileURL(join(import.meta.dirname, '..', 'src', path)).href)

function outputOf(script: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  return new Promise((resolve) => child.on('close', () => resolve(output.trim())))
}

/** Has `createTestIssuer` and `settle`, and nothing of Node's own. */
const WEB_ALONE = `
  const { registerHooks } = await import('node:module')
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === 'node:crypto') throw new Error('not here')
      return next(specifier, context)
    },
  })
  process.getBuiltinModule = () => undefined
  const { Buffer } = globalThis
  delete globalThis.Buffer
  const { createTestIssuer, settle } = await import(${url('testing/index.ts')})
  // Node's own fetch cannot do without it.
  globalThis.Buffer = Buffer`

test('verifies tokens and keys with web APIs alone', async () => {
  const output = await outputOf(`${WEB_ALONE}
    const issuer = await createTestIssuer()
    const verifier = await issuer.createLiveVerifier()
    await new Promise((resolve) => setTimeout(resolve, 50))
    if (!(verifier.verify('x'.repeat(20)) instanceof Promise)) throw new Error('node:crypto was there')
    const { id, text } = await issuer.issueToken()
    const key = issuer.issueKey()
    const codes = [verifier.status().state, (await verifier.verify(text)).valid, (await verifier.verify(key.text)).valid]
    issuer.revoke('token', id)
    await settle()
    console.log(JSON.stringify([...codes, (await verifier.verify(text)).code, issuer.questions.length - 1]))
    verifier.close()`)
  assert.equal(output, '["live",true,true,"revoked",1]')
})

test('takes no token that was revoked, or whose key went, while its signature was checked', async () => {
  const output = await outputOf(`${WEB_ALONE}
    const { verify } = crypto.subtle
    let release
    crypto.subtle.verify = async (...about) => {
      const proven = await verify.apply(crypto.subtle, about)
      await new Promise((resolve) => (release = resolve))
      return proven
    }
    const codes = []
    for (const meanwhile of [
      () => {},
      (issuer, id) => issuer.revoke('token', id),
      (issuer) => issuer.revoke('signing_key', issuer.kid),
      (issuer) => issuer.feed.setKeys([]),
    ]) {
      const issuer = await createTestIssuer()
      const verifier = await issuer.createLiveVerifier()
      await new Promise((resolve) => setTimeout(resolve, 50))
      const { id, text } = await issuer.issueToken()
      release = undefined
      const verified = verifier.verify(text)
      while (!release) await settle()
      meanwhile(issuer, id)
      await settle()
      release()
      const { valid, code } = await verified
      codes.push(valid || code)
      verifier.close()
    }
    console.log(JSON.stringify(codes))`)
  assert.equal(output, '[true,"revoked","revoked","unknown"]')
})

test('an open stream keeps no program alive, and what the program asks itself does', async (t) => {
  const server = createServer((request, response) => {
    // The program's own, from elsewhere, under a path like the feed's.
    if (request.headers.host?.startsWith('localhost')) return void setTimeout(() => response.end('late'), 600)
    if (request.url?.startsWith('/v1/feed/snapshot'))
      response.end(
        JSON.stringify({
          epoch: 'e',
          head: 1,
          now: Date.now(),
          age_ms: 0,
          issuer: 'https://i.example',
          tenant: null,
          resources: [],
          jwks: { keys: [] },
          rows: [],
        }),
      )
    else response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': feed\n\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const output = await outputOf(`
    const { createVerifier } = await import(${url('index.ts')})
    const options = { server: 'http://127.0.0.1:${port}', credential: 'c', resource: 'https://api.example.com' }
    const verifier = createVerifier(options)
    console.log(await verifier.ready(), verifier.status().state)
    await new Promise((resolve) => setTimeout(resolve, 200))
    // While the feed's own request is on its way.
    verifier.close()
    const again = createVerifier({ ...options, credential: 'd' })
    again.ready()
    const answer = await fetch('http://localhost:${port}/proxied/v1/feed/items')
    console.log(await answer.text())`)
  assert.equal(output, 'true live\nlate')
})
