/** The walk, whole: Postern, the API and the calls are as `npm run example:keys-to-oauth` has them. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'

const here = (name: string): string => join(import.meta.dirname, name)

test('one route serves a key, its exchanged token and client credentials, and the key takes its token along', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [here('walk.ts')], {
    timeout: 120_000,
    env: { ...process.env, NODE_OPTIONS: `--import=${pathToFileURL(here('sdk-source.ts')).href}` },
  })
  const answers = [...stdout.matchAll(/GET \/orders with ([\w' ]+) \([\w.-]+…\) {2}→ {2}(.+)/g)].map(
    ([, what, answer]) => `${what}: ${answer?.replace(/(ten|cli)_\w{22}/g, '$1_…')}`,
  )
  assert.deepEqual(answers, [
    'the key: 200  acme of ten_…, by api_key',
    'the exchanged token: 200  acme of ten_…, by access_token',
    "the client's token: 200  cli_… of ten_…, by access_token",
    'the key: 401  revoked',
    'the exchanged token: 401  revoked',
    "the client's token: 200  cli_… of ten_…, by access_token",
  ])
  const tenants = new Set(stdout.match(/ten_\w{22}/g))
  assert.equal(tenants.size, 1)
})
