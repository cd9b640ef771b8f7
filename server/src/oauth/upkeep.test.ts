import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  API,
  basic,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'

const MINUTE = 60_000

onBothDatabases('upkeep of what the engine stores', (fresh) => {
  let server: OAuthServer
  let service: Json
  let aheadMs = 0
  before(async () => {
    server = await openOAuthServer(await fresh(), {
      clock: { nowMs: () => Date.now() + aheadMs, monotonicMs: () => performance.now() + aheadMs },
    })
    await newResource(server, { access_token_format: 'opaque', token_lifetime_seconds: 60 })
    service = await newClient(server, { resources: [{ resource: API }] })
  })
  after(() => server.close())

  const issue = async (count: number): Promise<void> => {
    const own = basic(service.id, service.client_secret)
    for (let at = 0; at < count; at += 50)
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const { status } = await server.form('/token', { grant_type: 'client_credentials' }, own)
          assert.equal(status, 200)
        }),
      )
  }
  const stored = async (): Promise<number> =>
    (
      await server.deployment.storage
        .read<{ oauth_artifacts: { model: string } }>()
        .selectFrom('oauth_artifacts')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
    ).count

  it('tables stay bounded under steady issue, and nothing that is still good goes', async () => {
    const counts: number[] = []
    for (let minute = 0; minute < 6; minute++) {
      await issue(50)
      await server.deployment.oauth.tend()
      counts.push(Number(await stored()))
      // The next tokens are issued by the engine's own clock: what is swept is what was stored before it moved.
      aheadMs += 2 * MINUTE
    }
    assert.equal(counts[0], 50, 'nothing that is good has gone')
    assert.ok(Math.max(...counts) <= 100, counts.join())
    await server.deployment.oauth.tend()
    assert.ok(Number(await stored()) <= 50)
  })

  it('sweeps while tokens are issued and revoked: nobody waits for it, and nothing is lost', async () => {
    await issue(50)
    aheadMs += 5 * MINUTE
    const sweeps = Promise.all(Array.from({ length: 5 }, () => server.deployment.oauth.tend()))
    await Promise.all([sweeps, issue(50)])
    assert.ok(Number(await stored()) <= 50)
  })
})
