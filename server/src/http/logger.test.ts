import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, test } from 'node:test'
import type { Logger } from 'pino'
import { createLogger } from './index.ts'
import { KEY } from './test-server.ts'

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhY21lIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ'

function logged(write: (logger: Logger) => void): string {
  const lines: string[] = []
  write(createLogger({ logLevel: 'debug', logFormat: 'json' }, { write: (line) => void lines.push(line) }))
  for (const line of lines) assert.doesNotThrow(() => JSON.parse(line), line)
  return lines.join('')
}

describe('the log never holds a credential', () => {
  const places: Record<string, (logger: Logger, secret: string) => void> = {
    'in a message': (logger, secret) => logger.info(`refused ${secret}`),
    'in a member': (logger, secret) => logger.info({ deep: { er: [secret] } }, 'x'),
    'as a member’s name': (logger, secret) => logger.info({ [secret]: 1 }, 'x'),
    'in a URL': (logger, secret) => logger.info({ url: `/orders?key=${secret}&x=1` }, 'x'),
    'in an error': (logger, secret) => logger.error({ err: new Error(`bad ${secret}`) }, 'x'),
    'in a cause of a cause': (logger, secret) => {
      const deep = new Error('2', { cause: new Error('3', { cause: new Error(`bad ${secret}`) }) })
      logger.error({ err: new Error('1', { cause: deep }) }, 'x')
    },
    'in an AggregateError': (logger, secret) =>
      logger.error({ err: new AggregateError([new Error(secret)], 'many') }, 'x'),
    'in a child’s bindings': (logger, secret) => logger.child({ token: secret }).warn('x'),
    'in a body as JSON text': (logger, secret) =>
      logger.info({ body: JSON.stringify({ credential: secret }) }, 'x'),
  }
  for (const [place, write] of Object.entries(places))
    test(place, () => {
      for (const secret of [KEY, JWT]) {
        const text = logged((logger) => write(logger, secret))
        assert.ok(text.length > 0 && !text.includes(secret), text)
        assert.ok(text.includes('redacted'))
      }
    })

  test('in headers, whatever it looks like', () => {
    const headers = {
      authorization: 'a-legacy-key',
      cookie: 'a-session',
      'x-api-key': 'another-key',
      accept: '*/*',
    }
    const text = logged((logger) => {
      logger.info({ headers }, 'x')
      logger.info({ req: { headers } }, 'x')
      logger.info({ a: { req: { headers } } }, 'x')
    })
    for (const value of ['a-legacy-key', 'a-session', 'another-key']) assert.ok(!text.includes(value), text)
    assert.ok(text.includes('*/*'))
  })

  test('in a database URL that a driver’s error repeats', () => {
    const text = logged((logger) =>
      logger.error({ err: new Error('cannot reach postgres://app:hunter2@db:5432/x') }, 'x'),
    )
    assert.ok(!text.includes('hunter2') && text.includes('postgres://app:[redacted]@db:5432/x'))
  })

  test('written for people', async () => {
    let text = ''
    const sink = new Writable({
      write(chunk, _encoding, done) {
        text += String(chunk)
        done()
      },
    })
    createLogger({ logLevel: 'info', logFormat: 'pretty' }, sink).info({ url: `/x?k=${KEY}` }, 'asked')
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.match(text, /INFO.*asked/)
    assert.ok(!text.includes(KEY))
  })
})
