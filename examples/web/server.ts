/** A shop that signs its customers in by Postern: one page, and the API that its script calls. No token reaches the page. */
import { createVerifier } from '@postern/sdk'
import { createGuard, principalOf } from '@postern/sdk/express'
import { createWeb, serveWeb } from '@postern/sdk/web'
import express from 'express'

const port = Number(process.env.PORT ?? 3000)
const issuer = process.env.POSTERN_ISSUER ?? 'http://localhost:4800'
const resource = process.env.POSTERN_RESOURCE ?? 'https://api.example.com'

const verifier = createVerifier({ server: issuer, credential: process.env.POSTERN_CREDENTIAL, resource })
const web = createWeb({
  issuer,
  clientId: process.env.POSTERN_CLIENT_ID,
  clientSecret: process.env.POSTERN_CLIENT_SECRET,
  origin: process.env.APP_ORIGIN ?? `http://localhost:${port}`,
  keys: process.env.POSTERN_WEB_KEYS,
  resource,
  scopes: ['orders:read', 'orders:write'],
  verifier,
})
const postern = createGuard(verifier, { session: web })

const orders: { readonly tenant: string; readonly placedBy: string; readonly item: string }[] = []

const app = express()

app.get('/health', (_req, res) => {
  res.json({ status: 'ok' })
})

app.use(serveWeb(web))

app.get('/orders', postern('orders:read'), (req, res) => {
  const { tenant } = principalOf(req)
  res.json(orders.filter((order) => order.tenant === tenant))
})

app.post('/orders', postern('orders:write'), express.json({ limit: '10kb' }), (req, res) => {
  const { tenant, sub } = principalOf(req)
  const item: unknown = req.body?.item
  if (typeof item !== 'string' || item === '') {
    res.status(400).json({ error: 'item must be a text.' })
    return
  }
  const order = { tenant, placedBy: sub, item }
  orders.push(order)
  res.status(201).json(order)
})

const PAGE = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Shop</title>
<h1>Shop</h1>
<p id="who">…</p>
<p id="in" hidden><a href="/auth/login?return_to=/">Sign in</a></p>
<form id="out" method="post" action="/auth/logout" hidden><button>Sign out</button></form>
<form id="order" hidden><input name="item" required aria-label="Item"><button>Order</button></form>
<ul id="orders"></ul>
<script src="/page.js"></script>
</html>`

const SCRIPT = `
const element = (id) => document.getElementById(id)
async function show() {
  const session = await (await fetch('/auth/session')).json()
  element('who').textContent = session.signed_in ? 'Signed in as ' + session.user.sub : 'Nobody is signed in.'
  element('in').hidden = session.signed_in
  element('out').hidden = element('order').hidden = !session.signed_in
  const orders = session.signed_in ? await (await fetch('/orders')).json() : []
  element('orders').replaceChildren(...orders.map(({ item }) => Object.assign(document.createElement('li'), { textContent: item })))
}
element('order').addEventListener('submit', async (event) => {
  event.preventDefault()
  await fetch('/orders', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-csrf': '1' },
    body: JSON.stringify({ item: event.target.item.value }),
  })
  event.target.reset()
  await show()
})
show()
`

app.get('/', (_req, res) => {
  res.set('content-security-policy', "default-src 'self'; form-action 'self' " + new URL(issuer).origin)
  res.type('html').send(PAGE)
})
app.get('/page.js', (_req, res) => {
  res.type('js').send(SCRIPT)
})

const server = app.listen(port, () => {
  console.log('Shop listening on', server.address())
})
