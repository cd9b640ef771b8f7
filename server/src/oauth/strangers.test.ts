import assert from 'node:assert/strict'
import { it } from 'node:test'
import { freshSqlite } from '../../test/databases.ts'
import { openOAuthServer } from '../../test/oauth-server.ts'

it('no OAuth endpoint fails for a stranger who sends nothing, or nonsense', async () => {
  const database = freshSqlite()
  const server = await openOAuthServer(database)
  const paths = [
    '/authorize',
    '/authorize/x',
    '/device',
    '/device/x',
    '/interaction/x',
    '/session/end',
    '/token',
  ]
  const posts = [
    '/session/end/confirm',
    '/introspect',
    '/revoke',
    '/par',
    '/device/authorize',
    '/userinfo',
    '/sign-in',
  ]
  const bodies = [
    '',
    'a=b',
    'a=b&a=c',
    '%zz=%zz',
    `x=${'y'.repeat(20_000)}`,
    'user_code=ABCD-EFGH&xsrf=x',
    '\0=\0',
  ]
  for (const path of [...paths, ...posts])
    for (const [method, body] of [
      ['GET', undefined],
      ...bodies.map((text) => ['POST', text] as const),
    ] as const) {
      const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' }
      const answer = await fetch(server.address + path, {
        method,
        redirect: 'manual',
        headers,
        body: body ?? null,
      })
      assert.ok(answer.status < 500, `${method} ${path} ${body?.slice(0, 20)}: ${answer.status}`)
      assert.doesNotMatch(await answer.text(), /node_modules|at \w+ \(/)
    }
  await server.close()
  await database.drop()
})
