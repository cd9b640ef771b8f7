/** The meter by itself: bounded under whatever comes, and right about the sum. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { freshSqlite } from '../../test/databases.ts'
import { type Node, openNode } from '../../test/deployment.ts'
import { type Used, UsageMeter } from './usage-meter.ts'

let node: Node
const database = freshSqlite()
before(async () => {
  node = await openNode(database)
})
after(async () => {
  await node.close()
  await database.drop()
})

function used(id: string): Used {
  return {
    principal: {
      sub: 'acme',
      subType: 'external',
      tenant: 'ten_x',
      resource: 'https://api.test',
      scopes: [],
      roles: [],
      credential: { type: 'api_key', id, environment: 'live' },
    },
    refs: [`api_key:${id}`],
  }
}

const sum = async (group: string, route: string) =>
  (await node.done('GET', `/v1/usage?group_by=${group}&${route}`)).data

it('counts a flood of routes as one route, and a flood of credentials as one credential', async () => {
  const meter = new UsageMeter(node.deployment.storage, node.clock)
  const one = used('key_flood')
  const note = (who: Used, route: string) =>
    meter.note({ used: who, route, result: 'valid', address: undefined, scopes: [] })
  for (let count = 0; count < 10_000; count++) note(one, `route ${count}`)
  await meter.flush()
  const routes = await sum('route', 'credential=key_flood')
  assert.equal(routes.length, 201)
  assert.deepEqual(routes[0], { route: '*', count: 9_800 })

  for (let count = 0; count < 60_000; count++) note(used(`key_${count}`), 'many')
  await meter.flush()
  const [{ count }] = await sum('route', 'route=many')
  const rest = await sum('credential', 'credential=*')
  assert.equal(count + (rest[0]?.count ?? 0) - (await sum('route', 'credential=*&route=many')).length, 60_000)
})
