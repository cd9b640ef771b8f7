import assert from 'node:assert/strict'
import { it } from 'node:test'
import { onBothDatabases } from '../test/databases.ts'
import { findPresentedKey, Peppers } from './api-keys/index.ts'
import { bootstrap } from './bootstrap.ts'
import { resealAll } from './rotate-root-secret.ts'
import { SigningKeys } from './tokens/index.ts'
import { ROOT_SECRET, startNode, SYSTEM } from '../test/tokens/node.ts'
import { createEndpoint } from './webhooks/change-endpoints.ts'
import { findEndpoint } from './webhooks/store.ts'
import { SecretSealer, WebhookOutbox } from './webhooks/index.ts'

const NEW_SECRET = 'another root secret that is long enough'

onBothDatabases('rotation of the root secret', (fresh) => {
  it('seals everything anew: keys and signing keys work under the new secret, and under it alone', async () => {
    const node = await startNode(await fresh())
    const { storage, changes, clock, signingKeys, firstKeys } = node
    await assert.rejects(resealAll(storage, changes, NEW_SECRET, ROOT_SECRET), /not the one this database/)
    assert.ok(await operator(ROOT_SECRET), 'a refused rotation changes nothing')

    const webhooks = {
      changes,
      sealer: new SecretSealer(ROOT_SECRET),
      outbox: new WebhookOutbox(clock, () => {}),
      guard: { allowLoopback: true },
    }
    const input = { name: 'a hook', url: 'https://app.example.com/', events: null, tenantId: null }
    const hook = await storage.write((tx) => createEndpoint(tx, webhooks, SYSTEM, input))

    assert.deepEqual(await resealAll(storage, changes, ROOT_SECRET, NEW_SECRET), {
      one_time_codes: 0,
      peppers: 1,
      sign_in_providers: 0,
      signing_keys: 1,
      webhook_secrets: 1,
    })

    const [secret] = (await findEndpoint(storage, hook.endpoint.id))?.secrets ?? []
    const { id = '', sealed = '' } = secret ?? {}
    assert.equal(`whsec_${new SecretSealer(NEW_SECRET).open(id, sealed).toString('base64')}`, hook.secret)
    assert.throws(() => webhooks.sealer.open(id, sealed))
    assert.ok(await operator(NEW_SECRET))
    await assert.rejects(operator(ROOT_SECRET))
    const after = new SigningKeys(storage, NEW_SECRET, clock)
    await after.load()
    assert.deepEqual(after.privateJwks(), signingKeys.privateJwks())
    await assert.rejects(new SigningKeys(storage, ROOT_SECRET, clock).load(), /another root secret/)
    const context = { changes, peppers: new Peppers(NEW_SECRET) }
    assert.equal(await bootstrap(storage, context, NEW_SECRET, false), undefined)
    await assert.rejects(bootstrap(storage, context, ROOT_SECRET, false), /not the one this database/)
    await node.close()

    async function operator(secret: string): Promise<unknown> {
      const peppers = new Peppers(secret)
      await peppers.load(storage)
      return findPresentedKey(storage, peppers, firstKeys?.operatorKey as string, undefined)
    }
  })

  it('refuses a short secret and the same one', async () => {
    const node = await startNode(await fresh())
    await assert.rejects(resealAll(node.storage, node.changes, ROOT_SECRET, 'short'), /32 characters/)
    await assert.rejects(resealAll(node.storage, node.changes, ROOT_SECRET, ROOT_SECRET), /is the old one/)
    await node.close()
  })
})
