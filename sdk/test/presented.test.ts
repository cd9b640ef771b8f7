import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFromBrowser, presentedCredential, type CredentialRequest } from '../src/presented.ts'

type Fields = readonly (readonly [string, string])[]

/** The same header fields as Node and as a web runtime show them. */
function bothForms(fields: Fields): CredentialRequest[] {
  const headers: Record<string, string> = {}
  for (const [name, value] of fields) {
    const lower = name.toLowerCase()
    const before = headers[lower]
    // Node keeps the first Authorization and joins what it does not know.
    if (before === undefined) headers[lower] = value
    else if (lower !== 'authorization') headers[lower] = `${before}, ${value}`
  }
  const web = new Headers()
  for (const [name, value] of fields) web.append(name, value)
  return [
    { url: '/', headers, rawHeaders: fields.flat() },
    { url: 'http://localhost/', headers: web },
  ]
}

function expectEach(fields: Fields, expected: string, legacyHeader?: string): void {
  for (const request of bothForms(fields)) {
    const found = presentedCredential(request, legacyHeader)
    const said =
      typeof found === 'string' ? found : 'token' in found ? `${found.token} ${found.dpop}` : found.code
    assert.equal(said, expected, JSON.stringify(fields))
  }
}

test('reads Authorization: Bearer, whatever the case of its scheme', () => {
  expectEach([['Authorization', 'Bearer abc']], 'abc')
  expectEach([['authorization', 'BEARER   abc ']], 'abc')
})

test('reads X-API-Key, and a configured legacy header', () => {
  expectEach([['X-API-Key', 'abc']], 'abc')
  expectEach([['X-Acme-Token', 'abc']], 'abc', 'x-acme-token')
})

test('reads no header that was not configured', () => {
  expectEach([['X-Acme-Token', 'abc']], 'missing')
  expectEach([['Cookie', 'key=abc']], 'missing')
  expectEach([], 'missing')
})

test('refuses two credentials, in two headers or in one repeated', () => {
  for (const second of [
    ['X-API-Key', 'def'],
    ['X-API-Key', 'abc'],
    ['Authorization', 'Bearer def'],
    ['Authorization', 'Bearer abc'],
    ['authorization', 'Basic def'],
    ['X-Acme-Token', 'def'],
  ] as const)
    expectEach([['Authorization', 'Bearer abc'], second], 'multiple_credentials', 'x-acme-token')
  expectEach(
    [
      ['X-API-Key', 'abc'],
      ['X-API-Key', 'abc'],
    ],
    'multiple_credentials',
  )
  expectEach([['Authorization', 'Bearer abc, Bearer def']], 'multiple_credentials')
  for (const scheme of ['DPoP', 'Basic'])
    expectEach(
      [
        ['Authorization', `${scheme} abc`],
        ['X-API-Key', 'def'],
      ],
      'multiple_credentials',
    )
})

test('refuses a header that is there and empty: an unset variable is not an anonymous caller', () => {
  for (const field of [
    ['Authorization', ''],
    ['Authorization', 'Bearer'],
    ['Authorization', 'Bearer '],
    ['X-API-Key', ''],
  ] as const)
    expectEach([field], 'malformed')
})

test('refuses text that is too long for a credential', () => {
  expectEach([['X-API-Key', 'a'.repeat(8192)]], 'a'.repeat(8192))
  expectEach([['X-API-Key', 'a'.repeat(8193)]], 'malformed')
  expectEach([['Authorization', `Bearer ${'a'.repeat(8193)}`]], 'malformed')
})

test('reads a DPoP token with its one proof, and refuses other schemes', () => {
  expectEach([['Authorization', 'Basic abc']], 'unsupported')
  expectEach([['Authorization', 'DPoP abc']], 'proof_required')
  expectEach(
    [
      ['Authorization', 'dpop abc'],
      ['DPoP', 'proof'],
    ],
    'abc proof',
  )
  expectEach(
    [
      ['Authorization', 'DPoP abc'],
      ['DPoP', 'proof'],
      ['DPoP', 'proof'],
    ],
    'proof_invalid',
  )
  expectEach([['Authorization', 'Negotiate abc']], 'unsupported')
  expectEach([['Authorization', 'abc']], 'malformed')
  expectEach([['Authorization', 'Token abc']], 'malformed')
})

test('knows a browser by Origin or Sec-Fetch-Site', () => {
  for (const [field, expected] of [
    [['Origin', 'https://app.example.com'], true],
    [['Origin', 'null'], true],
    [['Sec-Fetch-Site', 'same-origin'], true],
    [['User-Agent', 'Mozilla/5.0'], false],
  ] as const)
    for (const request of bothForms([field])) assert.equal(isFromBrowser(request), expected, field[0])
})
