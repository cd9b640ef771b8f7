/**
 * A child that issues and revokes keys as fast as it can and says so, a line a change, only after the change's promise
 * has resolved. The line is written synchronously: once it is out, no kill takes it back.
 */
import { writeSync } from 'node:fs'
import { issueApiKey, Peppers, revokeApiKey } from '../../src/api-keys/index.ts'
import { systemCaller, systemClock } from '../../src/kernel/index.ts'
import { Changes, FeedPublisher } from '../../src/revocation/index.ts'
import { openStorage } from '../../src/storage/index.ts'
import { type Prepared, ROOT_SECRET } from './prepared-deployment.ts'

export interface CrashInput extends Prepared {
  readonly callers: number
  readonly acknowledgeBeforeCommit: boolean
  /** Kills itself right after so many acknowledgements; otherwise it waits to be killed. */
  readonly diesAfter?: number | undefined
}

const input = JSON.parse(process.argv[2] as string) as CrashInput
const { tenantId, resourceId, callers, acknowledgeBeforeCommit, diesAfter } = input
const storage = await openStorage(input.location, systemClock, { acknowledgeBeforeCommit })
const peppers = new Peppers(ROOT_SECRET)
await peppers.load(storage)
const context = { peppers, changes: new Changes(systemClock, new FeedPublisher(systemClock, async () => {})) }
const caller = systemCaller([])

let acknowledged = 0
function acknowledge(what: string): void {
  writeSync(1, `${what}\n`)
  if (++acknowledged === diesAfter) process.kill(process.pid, 'SIGKILL')
}

writeSync(1, 'ready\n')
await Promise.all(
  Array.from({ length: callers }, async (_, number) => {
    for (let count = 0; ; count++) {
      const { record } = await storage.write((tx) =>
        issueApiKey(tx, context, caller, {
          tenantId,
          resourceId,
          owner: `owner ${number}`,
          name: `key ${count}`,
          scopes: ['orders:read'],
        }),
      )
      acknowledge(`issued ${record.id}`)
      if (count % 2 === 0) continue
      await storage.write((tx) => revokeApiKey(tx, context, caller, record.id))
      acknowledge(`revoked ${record.id}`)
    }
  }),
)
