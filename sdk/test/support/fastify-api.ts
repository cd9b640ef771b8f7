import fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import { postern, principalOf } from '../../src/adapters/fastify.ts'
import type { StartApi } from '../adapters.test.ts'

export const fastifyApi: StartApi = async (verifier, { forwarded = false } = {}) => {
  const app = fastify({ trustProxy: forwarded })
  await app.register(postern, { verifier })
  app.get('/orders', { onRequest: app.requireScopes('orders:read') }, async (request) => ({
    sub: principalOf(request).sub,
  }))
  app.post(
    '/orders',
    { preHandler: app.requireScopes(['orders:read', 'orders:write']) },
    async (request) => ({
      sub: request.principal?.sub,
    }),
  )
  app.get(
    '/optional',
    { onRequest: app.requireScopes('orders:read', { optional: true }) },
    async (request) => ({
      sub: request.principal?.sub ?? null,
    }),
  )
  const strong = app.requireScopes('orders:read', {
    acrValues: ['high'],
    maxAgeSeconds: 600,
    whenDegraded: 'closed',
  })
  app.get('/strong', { onRequest: strong }, async (request) => ({ sub: principalOf(request).sub }))
  await app.register(
    async (v2) => {
      v2.get('/orders', { onRequest: v2.requireScopes('orders:read') }, async (request) => ({
        sub: principalOf(request).sub,
      }))
    },
    { prefix: '/v2' },
  )
  await app.listen({ port: 0 })
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
}
