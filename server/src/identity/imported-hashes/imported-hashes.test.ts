import assert from 'node:assert/strict'
import { argon2Sync, pbkdf2Sync, scryptSync } from 'node:crypto'
import { after, before, it } from 'node:test'
import { hash as bcrypt } from 'bcryptjs'
import { onBothDatabases } from '../../../test/databases.ts'
import { openTestIdentity, PASSWORD, TestBrowser, type TestIdentity } from '../test-identity.ts'
import { parseImportedHash } from './imported-hash.ts'

const SALT = Buffer.from('0123456789abcdef')
const ab64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '').replaceAll('+', '.')
const b64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')
const pbkdf2 = (digest: string, salt: Buffer | string): Buffer =>
  pbkdf2Sync(PASSWORD, salt, 1_000, 32, digest)

/** Of `PASSWORD`, in each form. */
const HASHES: Readonly<Record<string, string>> = {
  bcrypt: await bcrypt(PASSWORD, 4),
  'bcrypt of PHP': (await bcrypt(PASSWORD, 4)).replace('$2b$', '$2y$'),
  'PBKDF2 of passlib': `$pbkdf2-sha512$1000$${ab64(SALT)}$${ab64(pbkdf2('sha512', SALT))}`,
  'PBKDF2 in PHC form': `$pbkdf2-sha256$i=1000,l=32$${b64(SALT)}$${b64(pbkdf2('sha256', SALT))}`,
  'PBKDF2 of Django': `pbkdf2_sha256$1000$saltsalt$${pbkdf2('sha256', 'saltsalt').toString('base64')}`,
  argon2i: `$argon2i$v=19$m=64,t=3,p=1$${b64(SALT)}$${b64(
    argon2Sync('argon2i', {
      message: PASSWORD,
      nonce: SALT,
      parallelism: 1,
      tagLength: 32,
      memory: 64,
      passes: 3,
    }),
  )}`,
  scrypt: `$scrypt$ln=10,r=8,p=1$${b64(SALT)}$${b64(scryptSync(PASSWORD, SALT, 32, { cost: 1_024 }))}`,
}

/** From RFC 7914 (section 12), and of the first bcrypt. */
const VECTORS: readonly (readonly [string, string])[] = [
  [
    'pleaseletmein',
    `$scrypt$ln=14,r=8,p=1$${b64(Buffer.from('SodiumChloride'))}$${b64(
      Buffer.from(
        '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
        'hex',
      ),
    )}`,
  ],
  ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
]

it('checks hashes that other software made', async () => {
  for (const [password, hash] of VECTORS) {
    const check = parseImportedHash(hash)
    assert.ok(check, hash)
    assert.deepEqual([await check(password), await check(`${password}!`)], [true, false], hash)
  }
})

it('refuses costs that would take the machine, and those of no password hash', () => {
  const tag = b64(Buffer.alloc(32))
  const salt = b64(SALT)
  for (const text of [
    `$scrypt$ln=20,r=32,p=1$${salt}$${tag}`,
    `$scrypt$ln=4,r=8,p=1$${salt}$${tag}`,
    `$argon2id$v=19$m=1048576,t=2,p=1$${salt}$${tag}`,
    `$argon2i$v=19$m=64,t=99,p=1$${salt}$${tag}`,
    `$pbkdf2-sha256$99999999$${salt}$${tag}`,
    `$pbkdf2-sha256$1$${salt}$${tag}`,
    `$pbkdf2-md5$1000$${salt}$${tag}`,
    HASHES['bcrypt']?.replace('$04$', '$31$') ?? '',
    '$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    '5f4dcc3b5aa765d61d8327deb882cf99',
    PASSWORD,
  ])
    assert.equal(parseImportedHash(text), undefined, text)
})

onBothDatabases('users with hashes from elsewhere', (fresh) => {
  let test: TestIdentity
  before(async () => {
    test = await openTestIdentity(await fresh(), {
      throttles: { account: { take: () => 0 }, network: { take: () => 0 } },
    })
  })
  after(() => test.close())

  for (const [name, hash] of Object.entries(HASHES))
    it(`sign in with the password of their ${name} hash, which is replaced then`, async () => {
      const username = name.replaceAll(' ', '')
      const answer = await test.manage('POST', '/v1/users', { username, password_hash: hash })
      assert.equal(answer.statusCode, 201, answer.body)
      assert.equal(answer.json().has_password, true)
      assert.doesNotMatch(answer.body, /password_hash/)
      const browser = new TestBrowser(test.server)
      assert.equal((await browser.signIn(username, `${PASSWORD}!`)).statusCode, 403)
      assert.ok((await test.dump()).includes(hash), 'a wrong one replaces nothing')
      assert.equal((await browser.signIn(username, PASSWORD)).statusCode, 303)
      assert.equal((await test.dump()).includes(hash), false)
      assert.equal((await new TestBrowser(test.server).signIn(username, PASSWORD)).statusCode, 303)
    })

  it('are made members at once, or not at all', async () => {
    const tenants = [{ tenant: test.tenantId, roles: ['clerk'] }]
    const user = (await test.manage('POST', '/v1/users', { username: 'member', tenants })).json()
    const listed = (await test.manage('GET', `/v1/users/${user.id}/tenants`)).json()
    assert.deepEqual(listed.data[0].roles, ['clerk'])
    const nowhere = [{ tenant: `ten_${'0'.repeat(22)}` }]
    const refused = await test.manage('POST', '/v1/users', { username: 'nobody', tenants: nowhere })
    assert.equal(refused.statusCode, 404)
    const found = await test.manage('GET', '/v1/users?identifier=nobody')
    assert.deepEqual(found.json().data, [])
  })

  it('are refused with a hash that cannot be checked, which no answer repeats', async () => {
    const hash = '5f4dcc3b5aa765d61d8327deb882cf99'
    const answer = await test.manage('POST', '/v1/users', { username: 'md5', password_hash: hash })
    assert.deepEqual([answer.statusCode, answer.json().code], [400, 'invalid_request'])
    assert.equal(answer.body.includes(hash), false)
  })
})
