import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, it } from 'node:test'
import { sql } from 'kysely'
import { onBothDatabases } from '../../test/databases.ts'
import { TestClock } from '../../test/deployment.ts'
import { migrate, openStorage, type Storage } from '../storage/index.ts'
import { Mailer, type Message, smtpTransport } from './index.ts'

const MAIL: Message = { to: 'ada@example.com', subject: 'A link', text: 'https://id.example.com/link/secret' }
const ROOT_SECRET = 'a root secret of more than thirty-two characters'

onBothDatabases('the outbox', (fresh) => {
  const clock = new TestClock()
  let storage: Storage
  before(async () => {
    storage = await openStorage((await fresh()).location, clock)
    await migrate(storage, clock.nowMs())
  })
  after(() => storage.close())

  function mailer(send?: (message: Message) => Promise<void>, rootSecret = ROOT_SECRET) {
    const failures: unknown[] = []
    const options = { storage, clock, rootSecret, onFailure: (error: unknown) => void failures.push(error) }
    return { failures, mailer: new Mailer({ ...options, transport: send && { send } }) }
  }
  const rows = async (): Promise<string> =>
    JSON.stringify((await sql`SELECT * FROM outbox`.execute(storage.read<unknown>())).rows)

  it('keeps an e-mail with its transaction, sealed, and forgets it once it is sent', async () => {
    const sent: Message[] = []
    const { mailer: one } = mailer(async (message) => void sent.push(message))
    await assert.rejects(
      storage.write(async (tx) => {
        await one.put(tx, MAIL)
        throw new Error('rolled back')
      }),
    )
    await one.flush()
    assert.deepEqual(sent, [])
    await storage.write((tx) => one.put(tx, MAIL))
    const kept = await rows()
    assert.ok(kept.length > 2 && !kept.includes('secret') && !kept.includes('ada@example.com'))
    await one.flush()
    assert.deepEqual(sent, [MAIL])
    assert.equal(await rows(), '[]')
  })

  it('sends an e-mail once, though several processes look at the same time', async () => {
    const sent: Message[] = []
    const mailers = [1, 2, 3, 4].map(() => mailer(async (message) => void sent.push(message)).mailer)
    for (let count = 0; count < 5; count++)
      await storage.write((tx) => (mailers[0] as Mailer).put(tx, { ...MAIL, subject: `${count}` }))
    await Promise.all(mailers.map((one) => one.flush()))
    assert.deepEqual(sent.map(({ subject }) => subject).sort(), ['0', '1', '2', '3', '4'])
  })

  it('tries again after a minute, and gives up after an hour', async () => {
    let tries = 0
    const { mailer: one, failures } = mailer(() => {
      tries++
      return Promise.reject(new Error('the server is away'))
    })
    await storage.write((tx) => one.put(tx, MAIL))
    await one.flush()
    await one.flush()
    assert.deepEqual([tries, failures.length], [1, 1])
    clock.advance(60_001)
    await one.flush()
    assert.equal(tries, 2)
    clock.advance(3_600_000)
    await one.flush()
    assert.equal(tries, 2)
    assert.equal(await rows(), '[]')
  })

  it('shows what nobody sends, for a day, and nothing of another root secret', async () => {
    const { mailer: one } = mailer()
    await storage.write((tx) => one.put(tx, MAIL))
    await one.flush()
    assert.deepEqual(
      (await one.read()).map(({ to, text }) => [to, text]),
      [[MAIL.to, MAIL.text]],
    )
    assert.deepEqual(await mailer(undefined, `${ROOT_SECRET} of another`).mailer.read(), [])
    clock.advance(86_400_001)
    await one.purge()
    assert.deepEqual(await one.read(), [])
  })
})

it('speaks SMTP: the sender, one address whatever signs are in it, and the text', async () => {
  const lines: string[] = []
  const server = createServer((socket) => speakSmtp(socket, lines))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const { send } = smtpTransport(`smtp://127.0.0.1:${port}`, 'Postern <no-reply@example.com>')
  await send({ ...MAIL, to: 'ada+tag@example.com' })
  assert.ok(lines.includes('MAIL FROM:<no-reply@example.com>'))
  assert.deepEqual(
    lines.filter((line) => line.startsWith('RCPT')),
    ['RCPT TO:<ada+tag@example.com>'],
  )
  assert.ok(lines.includes('Subject: A link') && lines.includes(MAIL.text))
  server.close()
})

it('sends nothing to a server beyond loopback that offers no TLS', async () => {
  const lines: string[] = []
  const server = createServer((socket) => speakSmtp(socket, lines))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  // An address of this machine that is not spelt as loopback.
  const { send } = smtpTransport(`smtp://[::ffff:127.0.0.1]:${port}`, 'no-reply@example.com')
  await assert.rejects(send(MAIL))
  assert.ok(!lines.some((line) => line.startsWith('RCPT')))
  server.close()
})

function speakSmtp(socket: Socket, lines: string[]): void {
  let inData = false
  socket.on('error', () => {})
  socket.write('220 test\r\n')
  socket.on('data', (bytes) => {
    for (const line of bytes
      .toString()
      .split('\r\n')
      .filter((text) => text !== '')) {
      lines.push(line)
      if (inData) {
        if (line !== '.') continue
        inData = false
        socket.write('250 taken\r\n')
      } else if (line === 'DATA') {
        inData = true
        socket.write('354 go on\r\n')
      } else if (line === 'QUIT') socket.end('221 bye\r\n')
      else socket.write(line.startsWith('STARTTLS') ? '502 no\r\n' : '250 fine\r\n')
    }
  })
}
