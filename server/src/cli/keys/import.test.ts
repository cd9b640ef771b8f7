import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { capture } from '../testing/capture.ts'
import { startDeployment, type TestDeployment } from '../testing/deployment.ts'
import type { ApiClient, ApiRequest } from '../transport/api-client.ts'
import { ImportBatches } from './import-batches.ts'
import { LONGEST_LINE_BYTES, type NumberedLine, numberedLines } from './import-lines.ts'
import { detectFormat, recordReader } from './import-record.ts'

const HEX = 'ab'.repeat(32)
const DEFAULTS = { owner: 'acme', resource: 'https://api.example.com', scopes: ['orders:read'] }

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function linesOf(...texts: string[]): Promise<NumberedLine[]> {
  const lines: NumberedLine[] = []
  for await (const line of numberedLines(chunks(...texts))) lines.push(line)
  return lines
}

describe('lines of an import', () => {
  it('are numbered whatever the chunks, with carriage returns and a byte order mark taken off', async () => {
    const lines = await linesOf('\uFEFFon', 'e\r\n\nth', 'ree')
    assert.deepEqual(
      lines.map(({ number, text }) => [number, text]),
      [
        [1, 'one'],
        [2, ''],
        [3, 'three'],
      ],
    )
    assert.equal(lines.at(-1)?.bytes, 14)
  })

  it('that are too long are reported, not kept, and do not swallow the next', async () => {
    const long = 'x'.repeat(LONGEST_LINE_BYTES + 1)
    const lines = await linesOf(long, long, '\nnext\n')
    assert.deepEqual(
      lines.map(({ text }) => text),
      [undefined, 'next'],
    )
  })
})

describe('records of an import', () => {
  it('are recognized by the first line', () => {
    assert.equal(detectFormat(' {"digest":"…"}'), 'ndjson')
    assert.equal(detectFormat('owner,digest,scopes'), 'csv')
    assert.equal(detectFormat(HEX), 'digests')
  })

  it('take what they do not say from the defaults, but not an end beside their own', () => {
    const read = recordReader('ndjson', { ...DEFAULTS, expires_in_seconds: 60 })
    assert.deepEqual(read(JSON.stringify({ digest: HEX }))?.key['expires_in_seconds'], 60)
    const own = read(JSON.stringify({ digest: HEX, owner: 'zeta', expires_at: null }))
    assert.equal(own?.key['owner'], 'zeta')
    assert.equal(own?.key['expires_at'], null)
    assert.equal(own?.key['expires_in_seconds'], undefined)
  })

  it('of CSV are read by the header, whatever the order', () => {
    const read = recordReader('csv', { ...DEFAULTS, owner: undefined })
    assert.equal(read('owner,digest,expires_at,ip_allow'), undefined)
    const { key } = read(`zeta,${HEX},never,10.0.0.0/8 ::1`) ?? {}
    assert.deepEqual(
      [key?.['owner'], key?.['expires_at'], key?.['ip_allow']],
      ['zeta', null, ['10.0.0.0/8', '::1']],
    )
  })

  it('say what they lack', () => {
    assert.throws(() => recordReader('digests', { ...DEFAULTS, owner: undefined })(HEX), /no owner/)
    assert.throws(() => recordReader('digests', { ...DEFAULTS, resource: undefined })(HEX), /no resource/)
    assert.throws(() => recordReader('digests', DEFAULTS)('nonsense'), /not a SHA-256/)
    assert.throws(() => recordReader('ndjson', DEFAULTS)('[]'), /not a JSON object/)
  })
})

describe('batches of an import', () => {
  const record = (resource: string, tenant?: string) => ({ resource, tenant, key: { digest: HEX } })

  function fakeClient(answer: (keys: number, request: number) => { status: number; body: unknown }) {
    const sent: { resource: string; tenant: string | undefined; keys: number }[] = []
    let inFlight = 0
    let mostInFlight = 0
    const client: ApiClient = {
      target: 'fake',
      isLocal: true,
      async request(_method, _path, { body }: ApiRequest = {}) {
        const { resource, tenant, keys } = body as { resource: string; tenant?: string; keys: unknown[] }
        sent.push({ resource, tenant, keys: keys.length })
        mostInFlight = Math.max(mostInFlight, (inFlight += 1))
        await new Promise((resolve) => setTimeout(resolve, 2))
        inFlight -= 1
        return { headers: {}, ...answer(keys.length, sent.length) }
      },
      stream: () => assert.fail('nothing streams here'),
      close: async () => {},
    }
    return { client, sent, most: () => mostInFlight }
  }
  const fine = (keys: number) => ({ status: 200, body: { imported: keys, skipped: 0, errors: [] } })

  it('hold at most 1,000 keys of one resource and tenant, a few in flight', async () => {
    const { client, sent, most } = fakeClient(fine)
    const batches = new ImportBatches(client, () => {})
    for (let line = 1; line <= 12_500; line += 1)
      await batches.add(line, record('https://a.example', line % 5 === 0 ? 'ten_2' : undefined))
    await batches.finish()
    assert.equal(batches.counts.imported, 12_500)
    assert.ok(sent.every(({ keys }) => keys <= 1_000))
    assert.equal(
      sent.filter(({ tenant }) => tenant === 'ten_2').reduce((sum, { keys }) => sum + keys, 0),
      2_500,
    )
    assert.ok(most() > 1 && most() <= 4, `${most()} in flight`)
  })

  it('are bounded when every line names another tenant', async () => {
    const { client, sent } = fakeClient(fine)
    const batches = new ImportBatches(client, () => {})
    for (let line = 1; line <= 200; line += 1)
      await batches.add(line, record('https://a.example', `ten_${line}`))
    assert.ok(sent.length >= 130, 'most have been sent before the end')
    await batches.finish()
    assert.equal(batches.counts.imported, 200)
  })

  it('are sent again without the keys whose form was refused, which are reported by their lines', async () => {
    const refusal = {
      status: 400,
      body: {
        code: 'invalid_request',
        detail: 'no',
        errors: [{ pointer: '/keys/1/owner', detail: 'must be a string' }],
      },
    }
    const { client, sent } = fakeClient((keys, request) => (request === 1 ? refusal : fine(keys)))
    const faults: string[] = []
    const batches = new ImportBatches(client, (line, detail) => faults.push(`${line} ${detail}`))
    for (const line of [10, 20, 30]) await batches.add(line, record('https://a.example'))
    await batches.finish()
    assert.deepEqual(faults, ['20 owner: must be a string'])
    assert.deepEqual(batches.counts, { imported: 2, skipped: 0, faulty: 1 })
    assert.deepEqual(
      sent.map(({ keys }) => keys),
      [3, 2],
    )
  })

  it('wait for a server that is away, and give up on one that refuses', async () => {
    const away = fakeClient((keys, request) =>
      request === 1 ? { status: 503, body: { code: 'storage_unavailable' } } : fine(keys),
    )
    const patient = new ImportBatches(away.client, () => {})
    await patient.add(1, record('https://a.example'))
    await patient.finish()
    assert.equal(patient.counts.imported, 1)

    const refusing = fakeClient(() => ({ status: 403, body: { code: 'forbidden', detail: 'no' } }))
    const refused = new ImportBatches(refusing.client, () => {})
    await refused.add(1, record('https://a.example'))
    await assert.rejects(refused.finish(), /no/)
    assert.equal(refusing.sent.length, 1)
  })
})

describe('keys import', () => {
  let deployment: TestDeployment
  let folder: string
  before(async () => {
    deployment = await startDeployment('remote')
    folder = mkdtempSync(join(tmpdir(), 'postern-import-'))
  })
  after(async () => {
    rmSync(folder, { recursive: true, force: true })
    await deployment.drop()
  })
  const postern = (argv: string[], stdin = '') =>
    capture(argv, deployment.deps, { env: deployment.env, stdin })

  it('takes thousands of digests out of a file, and skips them the second time', async () => {
    const file = join(folder, 'digests.txt')
    const digests = Array.from({ length: 3_500 }, (_, at) =>
      createHash('sha256').update(`legacy-key-number-${at}`).digest('hex'),
    )
    writeFileSync(file, `${digests.join('\n')}\n`)
    const argv = [
      'keys',
      'import',
      file,
      '--high-entropy',
      '--json',
      '--owner',
      'acme',
      '--resource',
      'https://api.example.com',
      '--scope',
      'orders:read',
    ]
    const first = await postern(argv)
    assert.deepEqual(
      JSON.parse(first.stdout),
      { imported: 3_500, skipped: 0, faulty: 0, faults: [] },
      first.stderr,
    )
    assert.equal(JSON.parse((await postern(argv)).stdout).skipped, 3_500)

    const asked = await postern(['verify', '--resource', 'https://api.example.com'], 'legacy-key-number-17')
    assert.match(asked.stdout, /subject +acme/)
  })

  it('lists every faulty line in a file that was asked for, and shows the first twenty', async () => {
    const faults = join(folder, 'faults.ndjson')
    const lines = Array.from({ length: 30 }, (_, at) => `nonsense ${at}`).join('\n')
    const argv = [
      'keys',
      'import',
      '--high-entropy',
      '--owner',
      'acme',
      '--resource',
      'https://api.example.com',
      '--faults',
      faults,
    ]
    const { stderr, exitCode } = await postern(argv, `${HEX}\n${lines}`)
    assert.equal(exitCode, 1)
    assert.equal(readFileSync(faults, 'utf8').trim().split('\n').length, 30)
    assert.equal(stderr.match(/^ {2}line \d+:/gm)?.length, 20)
    assert.match(stderr, /and 10 lines more/)
  })
})
