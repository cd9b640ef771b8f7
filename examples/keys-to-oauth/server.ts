/** An orders API with one route. It asks for a scope, and never knows which kind of credential brought it. */
import { createVerifier } from '@postern/sdk'
import { createGuard, principalOf } from '@postern/sdk/express'
import express from 'express'

const postern = createGuard(
  createVerifier({
    server: process.env.POSTERN_SERVER ?? 'http://localhost:4800',
    credential: process.env.POSTERN_CREDENTIAL,
    resource: process.env.POSTERN_RESOURCE ?? 'https://api.example.com',
  }),
)

const app = express()

app.get('/orders', postern('orders:read'), (req, res) => {
  const { sub, tenant, credential } = principalOf(req)
  res.json({ caller: sub, tenant, credential: credential.type, orders: ['tea'] })
})

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log('Orders API listening on', server.address())
})
