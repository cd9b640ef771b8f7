import assert from 'node:assert/strict'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { declareTestRoutes, testServer } from './test-server.ts'

const { server } = testServer()
let port = 0
before(async () => {
  declareTestRoutes(server)
  await server.listen({ host: '127.0.0.1', port: 0 })
  port = (server.server.address() as AddressInfo).port
})
after(() => server.close())

/** Sends bytes, and answers all that comes back until the server closes. */
function exchange(bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (chunk) => (text += String(chunk)))
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
    socket.setTimeout(5_000, () => reject(new Error(`the server keeps the connection open after: ${text}`)))
  })
}

const HEAD = 'Host: localhost\r\nConnection: close\r\n'

describe('bytes that are no request', () => {
  const cases: Record<string, [string | Buffer, number]> = {
    'no HTTP at all': ['hello\r\n\r\n', 400],
    'TLS on a plain port': [Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), 400],
    'a bare LF in a header name': [`GET / HTTP/1.1\r\n${HEAD}a b: c\r\n\r\n`, 400],
    'a NUL in a header': [`GET / HTTP/1.1\r\n${HEAD}x: a\0b\r\n\r\n`, 400],
    'two lengths': [`POST / HTTP/1.1\r\n${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
    'a length and chunks': [
      `POST / HTTP/1.1\r\n${HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    'no host': ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    'a credential of 1 MB': [
      `GET / HTTP/1.1\r\n${HEAD}Authorization: Bearer ${'x'.repeat(1_000_000)}\r\n\r\n`,
      431,
    ],
  }
  for (const [name, [bytes, status]] of Object.entries(cases))
    test(`${name}: ${status}, and the connection is closed`, async () => {
      const answer = await exchange(bytes)
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `))
    })

  test('are answered with a problem that says what was wrong', async () => {
    const answer = await exchange(
      `GET / HTTP/1.1\r\n${HEAD}Authorization: Bearer ${'x'.repeat(20_000)}\r\n\r\n`,
    )
    assert.match(answer, /\r\ncontent-type: application\/problem\+json/)
    assert.match(answer, /\r\nx-content-type-options: nosniff/)
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
    assert.equal(body.code, 'header_fields_too_large')
  })

  test('on a connection that was in use get their problem too', async () => {
    const good = `GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n`
    const answer = await new Promise<string>((resolve, reject) => {
      let text = ''
      const socket = connect(port, '127.0.0.1', () => socket.write(good))
      socket.on('data', (chunk) => {
        if (text === '') socket.write('nonsense\r\n\r\n')
        text += String(chunk)
      })
      socket.on('error', reject).on('close', () => resolve(text))
    })
    assert.match(answer, /^HTTP\/1\.1 404 /)
    assert.match(answer, /HTTP\/1\.1 400 Bad Request/)
  })
})

test('the time that a request may take to arrive is bounded', () => {
  assert.equal(server.server.headersTimeout, 10_000)
  assert.equal(server.server.requestTimeout, 30_000)
})

test('a body that ends too early harms nobody else', async () => {
  const socket = connect(port, '127.0.0.1')
  socket.write('POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"na')
  await new Promise((resolve) => setTimeout(resolve, 50))
  socket.destroy()
  assert.equal((await fetch(`http://127.0.0.1:${port}/nowhere`)).status, 404)
})
