import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readNewPassword } from './input/read-secret.ts'
import type { CliIo } from './io.ts'
import { capture, NO_DEPS } from './testing/capture.ts'
import { parseResource } from './clients/settings.ts'
import { decodeToken } from './commands/tokens.ts'

const NOW = Date.parse('2027-01-31T12:00:00Z')
const encode = (text: string) => Buffer.from(text).toString('base64url')
const token = (claims: object) => `${encode('{"alg":"ES256"}')}.${encode(JSON.stringify(claims))}.c2ln`
const inspect = (stdin: string, ...more: string[]) =>
  capture(['tokens', 'inspect', '-', ...more], NO_DEPS, { stdin, nowMs: () => NOW })

describe('tokens inspect', () => {
  it('shows times as a person reads them', async () => {
    const exp = NOW / 1_000 + 900
    const { stdout } = await inspect(token({ exp, iat: exp - 1_800, nbf: 1e300, n: exp }), '--offline')
    assert.match(stdout, /exp +2027-01-31 12:15Z \(in 15m\)/)
    assert.match(stdout, /iat +2027-01-31 11:45Z \(15m ago\)/)
    assert.match(stdout, /nbf +1e\+300/)
    assert.match(stdout, new RegExp(`n +${exp}`))
  })

  it('says that nothing was verified, and why, when no server can be asked', async () => {
    const { stderr, exitCode } = await inspect(token({ sub: 'ada' }))
    assert.equal(exitCode, 0)
    assert.match(stderr, /NOTHING WAS VERIFIED[^]*No server could be asked: /)
  })

  it('lets no claim move the cursor', async () => {
    const { stdout } = await inspect(token({ 'a\u001b[2J': 'b\u001b[2J' }), '--offline')
    assert.ok(!stdout.includes('\u001b'))
  })

  it('reads no claims that two readers could read differently', () => {
    const twice = `${encode('{"alg":"ES256"}')}.${encode('{"sub":"a","sub":"b"}')}.c2ln`
    for (const text of [
      twice,
      'a.b',
      `${encode('[]')}.${encode('{}')}.x`,
      `${encode('{}')}.${encode('{')}.x`,
    ])
      assert.throws(() => decodeToken(text), /not a JWT/)
  })

  it('takes no token from the arguments', async () => {
    const { stderr, exitCode } = await capture(['tokens', 'inspect', token({ sub: 'ada' })], NO_DEPS)
    assert.equal(exitCode, 2)
    assert.doesNotMatch(stderr, /eyJ/)
  })
})

describe('signing-keys revoke', () => {
  it('takes a kid that begins with a dash', async () => {
    const kid = `-${'a'.repeat(42)}`
    const { stderr } = await capture(['signing-keys', 'revoke', kid], NO_DEPS, { typed: ['no'] })
    assert.match(stderr, new RegExp(`Type ${kid} to go on[^]*Not confirmed`))
  })
})

describe('a new password', () => {
  const piped = (text: string) => {
    async function* stdin() {
      yield Buffer.from(text)
    }
    return readNewPassword({ stdin: stdin(), isTTY: { stdin: false } } as unknown as CliIo)
  }
  const typed = (...answers: string[]) => {
    const ask = (_question: string, options?: { hidden?: boolean }) => {
      assert.equal(options?.hidden, true)
      return Promise.resolve(answers.shift() ?? '')
    }
    return readNewPassword({ ask, isTTY: { stdin: true } } as unknown as CliIo)
  }

  it('keeps its spaces and loses the line end of the pipe alone', async () => {
    assert.equal(await piped(' correct horse \n'), ' correct horse ')
    assert.equal(await piped('correct horse\r\n'), 'correct horse')
    await assert.rejects(piped('two\nlines\n'), /one line/)
    await assert.rejects(piped('\n'), /Nothing was given/)
  })

  it('is typed twice, and the same', async () => {
    assert.equal(await typed(' correct horse', ' correct horse'), ' correct horse')
    await assert.rejects(typed('correct horse', 'correct house'), /differ; nothing was changed/)
  })
})

it('a resource of a client is a URI and perhaps scopes', () => {
  const resource = 'https://api.example.com'
  assert.deepEqual(parseResource(resource), { resource, scopes: null })
  assert.deepEqual(parseResource(`${resource}  a:b c`), { resource, scopes: ['a:b', 'c'] })
  assert.throws(() => parseResource(' '), /Expected an API/)
})
