import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { acceptPassword } from './password-rules.ts'

const owner = { name: 'Ada Lovelace the First', username: 'ada', email: 'ada@example.com' }
const refused = (text: string, hasSecondFactor = false): Promise<string | undefined> =>
  acceptPassword(text, { ...owner, hasSecondFactor }).then(
    () => undefined,
    (error: Error) => error.message,
  )

describe('a new password', () => {
  it('has fifteen characters alone and eight beside a second factor, whatever their kind', async () => {
    assert.match((await refused('fourteen chars')) ?? '', /at least 15/)
    assert.equal(await refused('fifteen charact'), undefined)
    assert.equal(await refused('               x'), undefined)
    assert.equal(await refused('😀🎈🚀🌍🎉🐶🍕📚🚲🎵🌈⚡️🔥🍀🎁'), undefined)
    assert.match((await refused('short 7', true)) ?? '', /at least 8/)
    assert.equal(await refused('kV9 qpz!', true), undefined)
  })

  for (const common of ['password', 'PASSWORD', '12345678', 'iloveyou', 'trustno1', 'Passw0rd'])
    it(`is not ${common}, which is guessed first`, async () => {
      assert.match((await refused(common, true)) ?? '', /guessed first/)
    })

  it('is not a common one several times in a row', async () => {
    assert.match((await refused('passwordpassword')) ?? '', /guessed first/)
    assert.match((await refused('qwertyqwertyqwerty')) ?? '', /guessed first/)
    assert.equal(await refused('passwordpasswordx'), undefined)
  })

  it('is not the name, nor one character', async () => {
    assert.match((await refused('ada lovelace the FIRST')) ?? '', /may not be the name/)
    assert.match((await refused('aaaaaaaaaaaaaaaa')) ?? '', /one character repeated/)
  })
})
