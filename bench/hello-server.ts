/** What the gateway is compared with: Fastify alone, of the same version, saying hello. Says its port. */
import { fastify } from 'fastify'

const server = fastify()
server.get('/', async () => ({ hello: 'world' }))
await server.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${(server.server.address() as { port: number }).port}\n`)
