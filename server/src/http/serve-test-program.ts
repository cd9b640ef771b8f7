/** What serve.test.ts starts and signals: one route that takes its time. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { createLogger, createServer, declareRoute, serve } from './index.ts'

const logger = createLogger({ logLevel: 'silent', logFormat: 'json' })
const server = createServer({ logger, authenticate: () => Promise.reject(new Error('not asked')) })
declareRoute(server, {
  method: 'GET',
  url: '/slow',
  access: { kind: 'public', why: 'test' },
  summary: 'Slow',
  tags: ['test'],
  schema: { querystring: Type.Object({ ms: Type.Integer() }), response: {} },
  handler: async ({ query }) => {
    await sleep(query.ms)
    console.log('answered')
    return 'done'
  },
})
const { port } = await serve(server, {
  host: 'localhost',
  port: 0,
  graceSeconds: Number(process.argv[2]),
  logger,
  flush: [() => console.log('flushed')],
})
console.log(`port ${port}`)
