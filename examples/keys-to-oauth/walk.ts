/**
 * The way from API keys to OAuth, step by step: one route serves a key, then a token that the key was exchanged for, then a
 * client's token; and revoking the key ends the token that came of it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { startApi, startPostern } from './processes.ts'

const RESOURCE = 'https://api.example.com'
type Members = Record<string, unknown>

const postern = await startPostern()
const stops = [postern.stop]
try {
  const { key: credential } = await manage('/v1/operators', {
    name: 'orders service',
    scopes: ['verify'],
    resources: [RESOURCE],
  })
  const api = await startApi(postern.url, String(credential))
  stops.unshift(api.stop)
  await walk(`${api.url}/orders`)
} finally {
  for (const stop of stops) await stop()
}

async function walk(orders: string): Promise<void> {
  say('The route, from here to the end:', `app.get('/orders', postern('orders:read'), …)`)

  say('1. Today: a customer has an API key.', 'POST /v1/keys')
  const { id, key } = await manage('/v1/keys', {
    name: 'nightly import',
    owner: 'acme',
    resource: RESOURCE,
    scopes: ['orders:read'],
  })
  await call('the key', String(key))

  say(
    '2. The customer exchanges the key for a token of 15 minutes, and sends that.',
    'POST /token  grant_type=…:token-exchange  client_id=api-key  subject_token=<the key>',
  )
  const exchanged = await token({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    client_id: 'api-key',
    subject_token: String(key),
    subject_token_type: 'urn:postern:params:oauth:token-type:api_key',
  })
  await call('the exchanged token', exchanged)

  say(
    '3. The customer becomes an OAuth client, and needs no key any more.',
    'POST /v1/clients',
    'POST /token  grant_type=client_credentials  scope=orders:read',
  )
  const client = await manage('/v1/clients', {
    name: 'Acme nightly import',
    kind: 'service',
    resources: [{ resource: RESOURCE, scopes: ['orders:read'] }],
  })
  const ofClient = await token(
    { grant_type: 'client_credentials', scope: 'orders:read' },
    { id: String(client['id']), secret: String(client['client_secret']) },
  )
  await call("the client's token", ofClient)

  say('4. The key is revoked, and with it what it was exchanged for.', `POST /v1/keys/${String(id)}/revoke`)
  await manage(`/v1/keys/${String(id)}/revoke`, {})
  await call('the key', String(key), 401)
  await call('the exchanged token', exchanged, 401)
  await call("the client's token", ofClient)

  /** Says how the route answered. A revocation arrives within seconds: until then, the call is made again. */
  async function call(what: string, credential: string, expected = 200): Promise<void> {
    const giveUpAt = performance.now() + 15_000
    for (;;) {
      const answer = await fetch(orders, { headers: { authorization: `Bearer ${credential}` } })
      const { caller, tenant, credential: type, code } = (await answer.json()) as Members
      if (answer.status !== expected) {
        if (performance.now() > giveUpAt)
          throw new Error(`GET /orders with ${what}: ${answer.status} instead of ${expected}`)
        await sleep(100)
        continue
      }
      const answered = answer.ok
        ? `200  ${String(caller)} of ${String(tenant)}, by ${String(type)}`
        : `${answer.status}  ${String(code)}`
      console.log(`   GET /orders with ${what} (${credential.slice(0, 10)}…)  →  ${answered}`)
      return
    }
  }
}

function say(title: string, ...requests: readonly string[]): void {
  console.log(`\n${title}\n`)
  for (const request of requests) console.log(`   ${request}`)
}

/** Asks the management API, as the operator. */
function manage(path: string, body: Members): Promise<Members> {
  return post(path, JSON.stringify(body), {
    authorization: `Bearer ${postern.operatorKey}`,
    'content-type': 'application/json',
  })
}

/** Asks the token endpoint, as anybody who has a key, or as a client. */
async function token(
  parameters: Record<string, string>,
  client?: { readonly id: string; readonly secret: string },
): Promise<string> {
  const basic = client && Buffer.from(`${client.id}:${client.secret}`).toString('base64')
  const granted = await post('/token', new URLSearchParams(parameters), {
    ...(basic && { authorization: `Basic ${basic}` }),
  })
  return String(granted['access_token'])
}

async function post(
  path: string,
  body: string | URLSearchParams,
  headers: Record<string, string>,
): Promise<Members> {
  const answer = await fetch(postern.url + path, { method: 'POST', headers, body })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${text}`)
  return JSON.parse(text) as Members
}
