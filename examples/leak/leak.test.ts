/** A signed report ends a key in a service that runs. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { it } from 'node:test'
import { createVerifier } from '../../sdk/src/index.ts'
import { protect } from '../../sdk/src/adapters/node.ts'
import { freshSqlite } from '../../server/test/databases.ts'
import { issueKey, newOperator, newResource, openNode } from '../../server/test/deployment.ts'
import { leakKey, startScanner } from './leak.ts'

it('ends a key in a running service, and tells that it was a true one', async () => {
  const scanner = await startScanner()
  const database = freshSqlite()
  const node = await openNode(database, {
    env: { POSTERN_ISSUER: 'http://localhost:4800', POSTERN_LEAKS_GITHUB_KEYS_URL: scanner.keysUrl },
  })
  const resource = await newResource(node)
  const { key } = await issueKey(node, resource)
  const { server } = node.deployment
  await server.listen({ host: '127.0.0.1', port: 0 })
  const posternUrl = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`
  const verifier = createVerifier({
    server: posternUrl,
    credential: (await newOperator(node, ['verify'])).key,
    resource: resource.uri,
  })
  const answer = (_request: IncomingMessage, response: ServerResponse) => response.writeHead(200).end('[]')
  const orders = createServer(protect(verifier, answer, { scopes: 'orders:read' }))
  await new Promise<void>((resolve) => orders.listen(0, '127.0.0.1', resolve))
  const ordersUrl = `http://127.0.0.1:${(orders.address() as AddressInfo).port}/orders`
  try {
    const { before, after, label } = await leakKey({ posternUrl, ordersUrl, key }, scanner)
    assert.deepEqual({ before, after, label }, { before: 200, after: 401, label: 'true_positive' })
  } finally {
    orders.close()
    orders.closeAllConnections()
    server.server.closeAllConnections()
    await node.close()
    scanner.close()
    await database.drop()
  }
})
