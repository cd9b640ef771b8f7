/**
 * `kill -9` in the middle of a stream of issues and revocations. What was acknowledged is there afterwards; and the
 * control: with the acknowledgement moved before the commit, the same harness finds something lost.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freshPostgres, stopPostgres, type TestDatabase } from '../databases.ts'
import { startChild } from './child-process.ts'
import type { CrashInput } from './crash-writer.ts'
import { type Prepared, prepareDeployment, temporaryFolder } from './prepared-deployment.ts'
import { faultsAfterCrash } from './survivors.ts'

const SQLITE_ROUNDS = 200
const POSTGRES_ROUNDS = 20
const CONTROL_ROUNDS = 100
const LONGEST_ROUND_MS = 60

interface Round {
  readonly acknowledged: number
  readonly faults: string[]
}

/** Odd rounds kill from outside at a random moment, even ones from inside right after an acknowledgement. */
async function killOnce(
  prepared: Prepared,
  number: number,
  kept: string[],
  { acknowledgeBeforeCommit }: { acknowledgeBeforeCommit: boolean },
): Promise<Round> {
  const fromInside = number % 2 === 0
  const input: CrashInput = {
    ...prepared,
    acknowledgeBeforeCommit,
    callers: 1 + Math.floor(Math.random() * 12),
    diesAfter: fromInside ? 1 + Math.floor(Math.random() * 60) : undefined,
  }
  const child = startChild('crash-writer.ts', input)
  if (!fromInside) {
    await child.line((line) => line === 'ready')
    await sleep(Math.random() * LONGEST_ROUND_MS)
    child.process.kill('SIGKILL')
  }
  assert.equal(await child.exited, 'SIGKILL', `the child ended by itself: ${child.errors()}`)
  const acknowledged = child.lines.filter((line) => line !== 'ready')
  kept.push(...acknowledged)
  return {
    acknowledged: acknowledged.length,
    faults: await faultsAfterCrash(prepared.location, prepared.resourceId, kept),
  }
}

describe('kill -9 on SQLite', () => {
  let folder: string
  let template: Prepared
  before(async () => {
    folder = temporaryFolder()
    template = await prepareDeployment({ dataDir: join(folder, 'template') })
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** A lane has a folder of its own, made new now and then so that checking it stays short. */
  async function* rounds(lane: string, count: number, early: boolean): AsyncGenerator<Round> {
    let kept: string[] = []
    let dataDir = ''
    for (let number = 0; number < count; number++) {
      if (number % 25 === 0) {
        dataDir = join(folder, `${lane} ${number}`)
        mkdirSync(dataDir)
        cpSync(template.location.dataDir, dataDir, { recursive: true })
        kept = []
      }
      yield await killOnce({ ...template, location: { dataDir } }, number, kept, {
        acknowledgeBeforeCommit: early,
      })
    }
  }

  it(`keeps every acknowledged change through ${SQLITE_ROUNDS} kills`, async (test) => {
    let acknowledged = 0
    let done = 0
    const lane = async (name: string): Promise<void> => {
      for await (const round of rounds(name, SQLITE_ROUNDS / 2, false)) {
        assert.deepEqual(round.faults, [])
        acknowledged += round.acknowledged
        done++
      }
    }
    await Promise.all([lane('a'), lane('b')])
    assert.equal(done, SQLITE_ROUNDS)
    assert.ok(acknowledged > SQLITE_ROUNDS, 'the children hardly got to work')
    test.diagnostic(`${done} kills, ${acknowledged} acknowledged changes, none lost`)
  })

  it('control: finds what is lost when the acknowledgement goes out before the commit', async (test) => {
    let done = 0
    for await (const { faults } of rounds('control', CONTROL_ROUNDS, true)) {
      done++
      if (!faults.some((fault) => fault.startsWith('acknowledged but lost'))) continue
      test.diagnostic(`found after ${done} kills: ${faults.length} faults, such as "${faults[0]}"`)
      return
    }
    assert.fail(`nothing was lost in ${done} kills: the harness does not see a premature acknowledgement`)
  })
})

/**
 * No control here: a COMMIT that has left for Postgres is carried out although its sender dies, so a killed node loses
 * nothing either way. That the harness can tell is shown on SQLite.
 */
describe('kill -9 on Postgres', () => {
  let database: TestDatabase
  before(async () => {
    database = await freshPostgres()
  })
  after(async () => {
    await database.drop()
    await stopPostgres()
  })

  it(`keeps every acknowledged change through ${POSTGRES_ROUNDS} kills`, async () => {
    const prepared = await prepareDeployment(database.location)
    const kept: string[] = []
    for (let number = 0; number < POSTGRES_ROUNDS; number++) {
      const { faults } = await killOnce(prepared, number, kept, { acknowledgeBeforeCommit: false })
      assert.deepEqual(faults, [])
    }
    assert.ok(kept.length > POSTGRES_ROUNDS, 'the children hardly got to work')
  })
})
