/** Signing keys rotate while several callers issue and verify without a pause; a revoked one is refused on every node. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import { eventually, type Json, newResource, type Node, openNode, verdict } from '../../test/deployment.ts'
import { claimsFor } from '../../test/tokens/forge.ts'
import { ISSUER, startNode, SYSTEM, type TestNode } from '../../test/tokens/node.ts'
import { ownTokens } from '../../test/tokens/own-tokens.ts'
import { rotateSigningKey } from './change-signing-keys.ts'
import { findPresentedToken } from './find-presented-token.ts'
import { mintAccessToken } from './mint-access-token.ts'

const ROTATIONS = 5
const CALLERS = 4

onBothDatabases('rotation under load', (fresh) => {
  let nodes: TestNode[]
  before(async () => {
    const database = await fresh()
    const rules = { rotateEveryMs: 86_400_000, publishAheadMs: 50 }
    nodes = [await startNode(database, { rules }), await startNode(database, { rules })]
  })
  after(() => Promise.all(nodes.map((node) => node.close())))

  it(`refuses no valid token while keys rotate ${ROTATIONS} times`, async () => {
    const [first] = nodes as [TestNode]
    const resource = await first.addResource('https://api.example.com')
    const tenant = await first.addTenant('customer')
    const issued: string[] = []
    const signers = new Set<string>()
    let refused: unknown[] = []
    let verified = 0
    const done = new AbortController()

    const caller = async (number: number): Promise<void> => {
      const issuer = nodes[number % 2] as TestNode
      while (!done.signal.aborted) {
        const base = { iss: ISSUER, aud: resource.uri, tenant: tenant.id, rsn: issuer.feed.position }
        const token = mintAccessToken(issuer.signingKeys, 'ES256', claimsFor(issuer.clock.nowMs(), base))
        signers.add(issuer.signingKeys.active('ES256').kid)
        issued.push(token)
        const earlier = issued[Math.floor(Math.random() * issued.length)] as string
        for (const presented of [token, earlier])
          for (const node of nodes) {
            const answer = await findPresentedToken(node.tokenPorts, presented)
            verified++
            if ('code' in answer || answer.revoked) refused = [...refused, answer].slice(0, 5)
          }
        // SQLite answers without leaving the thread: let the others have their turn.
        await new Promise(setImmediate)
      }
    }
    const callers = Array.from({ length: CALLERS }, (_, number) => caller(number))
    const activeKid = (node: TestNode): string => node.signingKeys.active('ES256').kid
    try {
      for (let round = 0; round < ROTATIONS; round++) {
        const turning = nodes[round % 2] as TestNode
        const { kid } = await rotateSigningKey(turning.keyPorts, SYSTEM)
        await eventually(
          'the next key signs on both nodes',
          async () => {
            await turning.tend()
            return nodes.every((node) => activeKid(node) === kid)
          },
          20_000,
        )
        // Each key has signed before the next comes.
        await eventually('it has signed', async () => signers.has(kid), 20_000)
      }
    } finally {
      done.abort()
      await Promise.all(callers)
    }
    assert.deepEqual(refused, [])
    assert.equal(signers.size, ROTATIONS + 1)
    assert.ok(verified > issued.length)
  })
})

onBothDatabases('a revoked signing key', (fresh) => {
  let nodes: Node[]
  let api: Json
  before(async () => {
    const database = await fresh()
    const first = await openNode(database)
    nodes = database.dialect === 'postgres' ? [first, await first.secondNode()] : [first]
    api = await newResource(first)
  })
  after(() => Promise.all(nodes.map((node) => node.close())))

  it('is refused on every node, also where its token was cached, and another one signs at once', async () => {
    const [first] = nodes as [Node]
    const token = (await ownTokens(first, api))()
    for (const node of nodes) assert.equal(await verdict(node, token), 'valid')
    const { kid } = JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString())
    await first.done('POST', `/v1/signing-keys/${kid}/revoke`, { reason: 'test' })
    assert.notEqual(await verdict(first, token), 'valid')
    for (const node of nodes)
      await eventually('the other node has heard', async () => (await verdict(node, token)) !== 'valid')
    const later = (await ownTokens(first, api))()
    for (const node of nodes) assert.equal(await verdict(node, later), 'valid')
  })
})
