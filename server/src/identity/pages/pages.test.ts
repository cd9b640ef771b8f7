import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { consentPage, type ConsentView } from './consent-page.ts'
import { signInPage } from './sign-in-page.ts'
import { signOutPage } from './sign-out-page.ts'

const application = { name: 'Acme', redirectUri: 'https://acme.example:8443/cb?x=1' }
const consent: ConsentView = {
  action: '/here',
  formToken: 'token',
  application,
  person: 'Ada',
  account: 'ada@example.com',
  tenants: [],
  scopes: [
    { api: undefined, scopes: [{ name: 'openid', description: '' }] },
    {
      api: 'Orders',
      uri: 'https://api.example.com',
      scopes: [
        { name: 'orders:read', description: 'Read orders' },
        { name: 'orders:odd', description: ' ' },
      ],
    },
  ],
}
const tenants = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ id: `ten_${index}`, name: `Tenant ${index}` }))
const policyOf = (redirectUri: string | undefined): string | undefined => {
  const page = signInPage({ action: '/x', formToken: 't', application: { name: 'A', redirectUri } })
  return /form-action ([^;]*);/.exec(page.headers['content-security-policy'] ?? '')?.[1]
}

describe('pages', () => {
  it('name the application, the host that is answered, the person, the API and each scope in words', () => {
    const { text } = consentPage(consent)
    for (const words of [
      'Allow Acme?',
      'acme.example:8443',
      'Ada',
      'ada@example.com',
      'In Orders',
      'https://api.example.com',
      'Know who you are',
      'Read orders',
      'orders:odd',
    ])
      assert.ok(text.includes(words), words)
  })

  it('let one choose among tenants, name a single one, and mention none where there is none', () => {
    assert.ok(!consentPage(consent).text.includes('name="tenant"'))
    assert.match(
      consentPage({ ...consent, tenants: tenants(1) }).text,
      /type="hidden" name="tenant" value="ten_0"/,
    )
    const few = consentPage({ ...consent, tenants: tenants(6), chosenTenant: 'ten_2' }).text
    assert.equal(few.match(/type="radio"/g)?.length, 6)
    assert.match(few, /value="ten_2"[^>]*checked/)
    const many = consentPage({ ...consent, tenants: tenants(7), chosenTenant: 'ten_2' }).text
    assert.match(many, /<option value="ten_2"[^>]*selected/)
  })

  it('escape what an application calls itself', () => {
    const name = '<img src=x onerror=alert(1)>"'
    for (const { text } of [
      consentPage({ ...consent, application: { ...application, name }, person: name }),
      signInPage({ action: '/x', formToken: 't', application: { ...application, name } }),
      signOutPage({ action: '/x', formToken: 't', person: name, application: { ...application, name } }),
    ])
      assert.ok(!text.includes('<img'))
  })

  for (const [uri, policy] of [
    [undefined, "'self'"],
    ['https://acme.example:8443/cb?x=1', "'self' https://acme.example:8443"],
    ['http://127.0.0.1:5000/cb', "'self' http://127.0.0.1:5000"],
    ['http://[::1]:5000/cb', "'self' http:"],
    ['com.example.app:/cb', "'self' com.example.app:"],
    ['not a URI', "'self'"],
  ] as const)
    it(`let a form lead to ${uri ?? 'this server'} and nowhere else`, () => {
      assert.equal(policyOf(uri), policy)
    })

  it('run no script, are framed by nobody and stored nowhere, and let the browser name its origin to us', () => {
    const { headers, text } = consentPage(consent)
    assert.match(headers['content-security-policy'] ?? '', /^default-src 'none'; style-src 'sha256-/)
    assert.match(headers['content-security-policy'] ?? '', /frame-ancestors 'none'/)
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal(headers['referrer-policy'], 'same-origin')
    assert.ok(!text.includes('<script'))
  })

  it('stay under 30 kB', () => {
    assert.ok(Buffer.byteLength(signInPage({ action: '/x', formToken: 't', application }).text) < 30_000)
  })
})
