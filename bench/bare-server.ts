/**
 * What verify is compared with: Fastify alone, of the same version, parsing a body and answering JSON of the same sizes.
 * Takes the answer on standard input; says its port.
 */
import { createInterface } from 'node:readline'
import { fastify } from 'fastify'

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const answer = JSON.parse(((await input.next()).value as string | undefined) ?? 'null') as unknown

const server = fastify()
server.post('/v1/verify', async (request) => {
  if (typeof (request.body as { credential: unknown }).credential !== 'string')
    throw new Error('no credential')
  return answer
})
await server.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${(server.server.address() as { port: number }).port}\n`)
