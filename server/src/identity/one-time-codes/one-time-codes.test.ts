import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import { generateSync } from 'otplib'
import { sql } from 'kysely'
import { onBothDatabases } from '../../../test/databases.ts'
import { openTestIdentity, PASSWORD, TestBrowser, type TestIdentity, tokenIn } from '../test-identity.ts'
import { CodeSealer } from './code-sealer.ts'
import { resealOneTimeCodes } from './reseal-codes.ts'
import { stepOfCode } from './totp.ts'

const PATH = '/account/second-factor'
const SESSION = '__Host-postern'
const STEP_MS = 30_000

interface Owner {
  readonly id: string
  readonly name: string
  readonly browser: TestBrowser
  /** Base32. */
  readonly secret: string
  readonly recovery: readonly string[]
}

onBothDatabases('the second factor', (fresh) => {
  let test: TestIdentity
  let count = 0
  before(async () => {
    test = await openTestIdentity(await fresh(), {
      throttles: { account: { take: () => 0 }, network: { take: () => 0 } },
    })
  })
  after(() => test.close())

  const codeOf = (secret: string, laterMs = 0): string =>
    generateSync({ strategy: 'totp', secret, epoch: Math.floor((test.clock.nowMs() + laterMs) / 1000) })

  /** Somebody who has turned it on just now, and whose next code is good. */
  async function owner(): Promise<Owner> {
    const name = `person${count++}`
    const { id } = await test.user(name, PASSWORD)
    const browser = new TestBrowser(test.server)
    await browser.signIn(name)
    const page = (await browser.get(PATH)).body
    const secret = secretIn(page)
    const answer = await browser.post(PATH, {
      form_token: tokenIn(page),
      secret: sealedIn(page),
      do: 'enable',
      code: codeOf(secret),
    })
    assert.equal(answer.statusCode, 200, answer.body)
    test.clock.pass(STEP_MS)
    return { id, name, browser, secret, recovery: recoveryIn(answer.body) }
  }

  /** The first factor, and what the page for the second one holds. */
  async function half(name: string, browser = new TestBrowser(test.server), password = PASSWORD) {
    const answer = await browser.signIn(name, password)
    assert.equal(answer.statusCode, 200, answer.body)
    const ticket = /name="ticket" value="([^"]+)"/.exec(answer.body)?.[1] ?? ''
    const fields = { form_token: tokenIn(answer.body), ticket }
    return {
      browser,
      fields,
      send: (code: string, by = browser): Promise<LightMyRequestResponse> =>
        by.post('/sign-in', { ...fields, code }),
    }
  }

  it('is asked for after the password, and until then there is no session', async () => {
    const { name, secret, id } = await owner()
    const { browser, send } = await half(name)
    assert.equal(browser.cookies.has(SESSION), false)
    assert.equal(await browser.signedInAs(), undefined)
    const before = await test.manage('GET', `/v1/users/${id}/sessions`)
    assert.equal(before.json().data.length, 1, 'the one in which it was turned on')
    test.clock.pass(1)
    assert.equal((await send(codeOf(secret))).statusCode, 303)
    assert.notEqual(await browser.signedInAs(), undefined)
    const { data } = (await test.manage('GET', `/v1/users/${id}/sessions`)).json()
    assert.deepEqual([data[1].acr, data[1].amr], ['urn:postern:acr:mfa', ['pwd', 'otp', 'mfa']])
    assert.equal(Date.parse(data[1].authenticated_at), test.clock.nowMs())
  })

  it('keeps neither its secret nor its recovery codes readable, nor the ticket', async () => {
    const { name, secret, recovery } = await owner()
    const { fields } = await half(name)
    const dump = await test.dump()
    for (const word of [
      secret,
      Buffer.from(base32(secret)).toString('base64url'),
      fields.ticket,
      ...recovery,
    ])
      assert.ok(!dump.includes(word) && !dump.includes(word.replaceAll('-', '')))
  })

  it('takes a code once, and none from before it', async () => {
    const { name, secret } = await owner()
    const code = codeOf(secret)
    assert.equal((await (await half(name)).send(code)).statusCode, 303)
    assert.equal((await (await half(name)).send(code)).statusCode, 403)
    assert.equal((await (await half(name)).send(codeOf(secret, -STEP_MS))).statusCode, 403)
    assert.equal((await (await half(name)).send(codeOf(secret, STEP_MS))).statusCode, 303)
  })

  for (const [what, laterMs, status] of [
    ['of the step before', -STEP_MS, 303],
    ['of the step after', STEP_MS, 303],
    ['that is a minute old', -2 * STEP_MS - 1, 403],
    ['of a minute from now', 2 * STEP_MS + 1, 403],
  ] as const)
    it(`${status === 303 ? 'takes' : 'refuses'} a code ${what}`, async () => {
      const { name, secret } = await owner()
      test.clock.pass(5 * STEP_MS)
      const answer = await (await half(name)).send(codeOf(secret, laterMs))
      assert.equal(answer.statusCode, status)
    })

  it('takes a recovery code once, typed in any way, and counts down', async () => {
    const { name, id, recovery } = await owner()
    assert.equal(recovery.length, 10)
    assert.equal(new Set(recovery).size, 10)
    const typed = (recovery[0] as string).toUpperCase().replaceAll('-', ' ')
    const { browser, send } = await half(name)
    assert.equal((await send(typed)).statusCode, 303)
    assert.notEqual(await browser.signedInAs(), undefined)
    assert.equal(test.noted.at(-1)?.code, 'recovery_code')
    assert.equal((await (await half(name)).send(recovery[0] as string)).statusCode, 403)
    const state = (await test.manage('GET', `/v1/users/${id}/second-factor`)).json()
    assert.equal(state.recovery_codes_left, 9)
    const { data } = (await test.manage('GET', `/v1/users/${id}/sessions`)).json()
    assert.deepEqual(data.at(-1).amr, ['pwd', 'mfa'], 'no one-time code was used')
  })

  it('is another person’s with another person’s codes', async () => {
    const [one, other] = [await owner(), await owner()]
    assert.equal((await (await half(one.name)).send(codeOf(other.secret))).statusCode, 403)
    assert.equal((await (await half(one.name)).send(other.recovery[0] as string)).statusCode, 403)
  })

  it('takes a ticket from the browser that it was given to alone, for ten minutes, once, and five times in vain', async () => {
    const { name, secret } = await owner()
    const stolen = await half(name)
    const thief = new TestBrowser(test.server)
    const page = (await thief.get('/sign-in')).body
    const fields = { ...stolen.fields, form_token: tokenIn(page), code: codeOf(secret) }
    const answer = await thief.post('/sign-in', fields)
    assert.equal(answer.statusCode, 403)
    assert.match(answer.body, /Please begin again/)
    assert.equal((await stolen.send(codeOf(secret))).statusCode, 303)
    assert.match((await stolen.send(codeOf(secret, STEP_MS))).body, /Please begin again/)

    const tried = await half(name)
    for (let wrong = 0; wrong < 4; wrong++) assert.match((await tried.send('000000')).body, /not right/)
    assert.match((await tried.send('000000')).body, /Please begin again/)
    assert.match((await tried.send(codeOf(secret, STEP_MS))).body, /Please begin again/)

    const late = await half(name)
    test.clock.pass(10 * 60_000)
    assert.match((await late.send(codeOf(secret))).body, /Please begin again/)
  })

  it('is nothing after the password that was proved was changed, or the user was disabled', async () => {
    const { name, secret, id } = await owner()
    const [one, other] = [await half(name), await half(name)]
    await test.manage('POST', `/v1/users/${id}/disable`)
    assert.equal((await one.send(codeOf(secret))).statusCode, 403)
    assert.equal(one.browser.cookies.has(SESSION), false)
    await test.manage('POST', `/v1/users/${id}/enable`)
    await test.manage('POST', `/v1/users/${id}/password`, { password: 'another long password' })
    assert.match((await other.send(codeOf(secret))).body, /Please begin again/)
  })

  it('makes a session that is born dead when its user signs out everywhere between the two factors', async () => {
    const { name, secret, id } = await owner()
    const { browser, send } = await half(name)
    await test.manage('POST', `/v1/users/${id}/sign-out-everywhere`, {})
    await send(codeOf(secret))
    assert.equal(await browser.signedInAs(), undefined)
  })

  it('takes no code after a hundred wrong ones in a row, until a recovery code', async () => {
    const { name, secret, id, recovery } = await owner()
    await setFailures(id, 99)
    assert.equal((await (await half(name)).send('000000')).statusCode, 403)
    assert.equal((await (await half(name)).send(codeOf(secret))).statusCode, 403)
    assert.equal((await (await half(name)).send(recovery[3] as string)).statusCode, 303)
    assert.equal((await (await half(name)).send(codeOf(secret))).statusCode, 303)
  })

  const setFailures = (id: string, failures: number): Promise<unknown> =>
    test.storage.write((tx) =>
      sql`UPDATE one_time_codes SET failures = ${failures} WHERE user_id = ${id}`.execute(tx.over()),
    )

  it('ends the sessions of before it, but for the one in which it was turned on', async () => {
    const name = `person${count++}`
    await test.user(name, PASSWORD)
    const before = new TestBrowser(test.server)
    await before.signIn(name)
    const browser = new TestBrowser(test.server)
    await browser.signIn(name)
    const page = (await browser.get(PATH)).body
    const fields = { form_token: tokenIn(page), secret: sealedIn(page), do: 'enable' }
    assert.equal((await browser.post(PATH, { ...fields, code: '000000' })).statusCode, 403)
    assert.notEqual(await before.signedInAs(), undefined)
    assert.equal((await browser.post(PATH, { ...fields, code: codeOf(secretIn(page)) })).statusCode, 200)
    assert.equal(await before.signedInAs(), undefined)
    assert.notEqual(await browser.signedInAs(), undefined)
  })

  it('takes no key that this session was not shown, nor one of half an hour ago', async () => {
    const [one, other] = [new TestBrowser(test.server), new TestBrowser(test.server)]
    for (const browser of [one, other]) {
      const name = `person${count++}`
      await test.user(name, PASSWORD)
      await browser.signIn(name)
    }
    const [page, foreign] = [(await one.get(PATH)).body, (await other.get(PATH)).body]
    const enable = (from: string) =>
      one.post(PATH, {
        form_token: tokenIn(page),
        do: 'enable',
        secret: sealedIn(from),
        code: codeOf(secretIn(from)),
      })
    assert.match((await enable(foreign)).body, /too old/)
    assert.equal((await enable(page)).statusCode, 200)
  })

  it('lets a password of eight characters stand beside it, and not be removed from under it', async () => {
    const { name, browser, secret, id } = await owner()
    const short = 'kV9 qpz!'
    const plain = `person${count++}`
    await test.user(plain, PASSWORD)
    const other = new TestBrowser(test.server)
    await other.signIn(plain)
    const refused = await other.submit('/account/password', { new_password: short })
    assert.match(refused.body, /at least 15 characters/)
    assert.equal((await browser.submit('/account/password', { new_password: short })).statusCode, 303)
    assert.equal((await (await half(name, undefined, short)).send(codeOf(secret))).statusCode, 303)
    assert.equal((await browser.submit(PATH, { do: 'disable' })).statusCode, 409)
    assert.equal((await test.manage('DELETE', `/v1/users/${id}/second-factor`)).statusCode, 409)
    await test.manage('POST', `/v1/users/${id}/password`, { password: PASSWORD })
    assert.equal((await test.manage('DELETE', `/v1/users/${id}/second-factor`)).statusCode, 204)
    assert.equal((await new TestBrowser(test.server).signIn(name)).statusCode, 303)
    assert.equal((await test.manage('GET', `/v1/users/${id}/second-factor`)).statusCode, 404)
  })

  it('gives ten new recovery codes, after which none of before works', async () => {
    const { name, browser, recovery } = await owner()
    const answer = await browser.submit(PATH, { do: 'renew' })
    const renewed = recoveryIn(answer.body)
    assert.equal(renewed.length, 10)
    assert.equal((await (await half(name)).send(recovery[0] as string)).statusCode, 403)
    assert.equal((await (await half(name)).send(renewed[0] as string)).statusCode, 303)
  })

  it('is sealed anew with a new root secret, and under that alone', async () => {
    const { id, secret } = await owner()
    const [before, after] = ['a root secret of more than thirty-two characters', 'b'.repeat(40)]
    const sealed = async (): Promise<string> => {
      const query = sql<{
        sealed_secret: string
      }>`SELECT sealed_secret FROM one_time_codes WHERE user_id = ${id}`
      return (await query.execute(test.storage.read<unknown>())).rows[0]?.sealed_secret ?? ''
    }
    await test.storage.write((tx) => resealOneTimeCodes(tx, before, after))
    const text = await sealed()
    assert.deepEqual([...new CodeSealer(after).open(id, text)], base32(secret))
    assert.throws(() => new CodeSealer(before).open(id, text))
    await test.storage.write((tx) => resealOneTimeCodes(tx, after, before))
  })

  /** Five browsers with tickets of their own send the same code at once. */
  async function race(name: string, code: string): Promise<number> {
    const halves = await Promise.all([1, 2, 3, 4, 5].map(() => half(name)))
    const answers = await Promise.all(halves.map(({ send }) => send(code)))
    return answers.filter(({ statusCode }) => statusCode === 303).length
  }

  it('takes a code once, and a recovery code once, however many send it at once', async () => {
    const { name, secret, recovery } = await owner()
    for (let round = 0; round < 3; round++) {
      test.clock.pass(STEP_MS)
      assert.equal(await race(name, codeOf(secret)), 1)
      assert.equal(await race(name, recovery[round] as string), 1)
    }
  })

  it('takes a ticket once, however many send it at once', async () => {
    const { name, recovery } = await owner()
    const { send } = await half(name)
    const answers = await Promise.all(recovery.slice(0, 5).map((code) => send(code)))
    assert.equal(answers.filter(({ statusCode }) => statusCode === 303).length, 1)
  })
})

it('refuses every code while the clock stands before the last one', () => {
  const secret = Buffer.alloc(20, 3)
  assert.equal(stepOfCode(secret, '000000', { nowMs: 1_000_000, lastStep: 1e9 }), undefined)
})

function secretIn(page: string): string {
  return (/Key: <code>([^<]+)/.exec(page)?.[1] ?? '').replaceAll(' ', '')
}

function sealedIn(page: string): string {
  return /name="secret" value="([^"]+)"/.exec(page)?.[1] ?? ''
}

function recoveryIn(page: string): string[] {
  return [...page.matchAll(/<li>((?:\w{4}-){3}\w{4})<\/li>/g)].map(([, code]) => code as string)
}

function base32(text: string): number[] {
  const bits = [...text].map((letter) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
  )
  return (bits.join('').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2))
}
