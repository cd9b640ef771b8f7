/** A locked database and a full disk: 503 and a log line, never a false success, and afterwards all is well. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { SQLITE_FILE } from '../../src/storage/index.ts'
import { startChild } from './child-process.ts'
import { prepareDeployment, temporaryFolder } from './prepared-deployment.ts'
import { type Answer, eventually, type Running, runDeployment } from './running-deployment.ts'
import { faultsAfterCrash } from './survivors.ts'

const folder = temporaryFolder()
after(() => rmSync(folder, { recursive: true, force: true }))

function assertUnavailable(answer: Answer, { log }: Running): void {
  assert.equal(answer.status, 503, JSON.stringify(answer.body))
  assert.match(answer.type, /^application\/problem\+json/)
  assert.equal(answer.body['code'], 'storage_unavailable')
  const line = log.find(({ msg }) => String(msg).startsWith('storage_unavailable: '))
  assert.equal(line?.['level'], 'error')
}

describe('a database that another process has locked', () => {
  it('refuses changes with 503, goes on verifying, and recovers', async () => {
    const prepared = await prepareDeployment({ dataDir: join(folder, 'locked') })
    const running = await runDeployment(prepared, { busyTimeoutMs: 300 })
    const known = await running.issue()
    const credential = known.body['key'] as string
    assert.equal((await running.verify(credential)).body['valid'], true)
    const unseen = (await running.issue()).body['key'] as string

    const holder = startChild('lock-holder.ts', { file: join(prepared.location.dataDir, SQLITE_FILE) })
    await holder.line((line) => line === 'locked')
    const refused = await Promise.all([running.issue(), running.issue()])
    for (const answer of refused) assertUnavailable(answer, running)
    const revoke = await running.call('POST', `/v1/keys/${String(known.body['id'])}/revoke`, {})
    assertUnavailable(revoke, running)
    // Neither a known key nor one at first sight needs the write lock.
    assert.equal((await running.verify(credential)).body['valid'], true)
    assert.equal((await running.verify(unseen)).body['valid'], true)

    holder.process.kill('SIGKILL')
    await holder.exited
    const issued = await running.issue()
    assert.equal(issued.status, 201)
    const { body } = await running.call('GET', '/v1/keys?owner=someone')
    assert.equal((body['data'] as unknown[]).length, 3, 'what was refused has been done all the same')
    await running.close()
  })
})

describe('a full disk', () => {
  const mount = join(folder, 'small disk')
  mkdirSync(mount)
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', mount]).status === 0
  after(() => mounted && spawnSync('umount', ['-l', mount]))

  it(
    'refuses changes with 503, goes on verifying, loses nothing, and recovers',
    { skip: !mounted && 'a small disk can only be mounted by root' },
    async () => {
      const prepared = await prepareDeployment({ dataDir: join(mount, 'data') })
      const running = await runDeployment(prepared)
      const first = await running.issue()
      const acknowledged = [`issued ${String(first.body['id'])}`]
      const credential = first.body['key'] as string
      assert.equal((await running.verify(credential)).body['valid'], true)

      fillUp(mount)
      let refused: Answer | undefined
      for (let count = 0; count < 5_000 && !refused; count++) {
        const answer = await running.issue()
        if (answer.status === 201) acknowledged.push(`issued ${String(answer.body['id'])}`)
        else refused = answer
      }
      assert.ok(refused, 'the disk never filled up')
      assertUnavailable(refused, running)
      assert.match(String(refused.body['detail']), /disk is full/)
      assert.equal((await running.verify(credential)).body['valid'], true)
      // Nobody else is told of a success either while the disk is full.
      for (const answer of await Promise.all([running.issue(), running.issue()]))
        if (answer.status === 201) acknowledged.push(`issued ${String(answer.body['id'])}`)
        else assertUnavailable(answer, running)

      rmSync(join(mount, 'filler'))
      await eventually('a key is issued again', async () => {
        const answer = await running.issue()
        if (answer.status === 201) acknowledged.push(`issued ${String(answer.body['id'])}`)
        return answer.status === 201
      })
      await running.close()
      assert.deepEqual(await faultsAfterCrash(prepared.location, prepared.resourceId, acknowledged), [])
    },
  )
})

/** Leaves some pages, so that the disk fills up in the middle of a change. */
function fillUp(mount: string): void {
  const { bavail, bsize } = statfsSync(mount)
  writeFileSync(join(mount, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - 96 * 1024)))
}
