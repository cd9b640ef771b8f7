/**
 * Rotating many keys as a stream of lines, each new key shown once. With an Idempotency-Key every batch's lines are
 * kept, sealed, in the batch's own transaction: a stream that was cut loses no key.
 */
import { Readable } from 'node:stream'
import { type Caller, invalid } from '../kernel/index.ts'
import type { IdempotentRequest } from '../storage/index.ts'
import { requireCount, ROTATE_BATCH, rotateBatch } from './bulk.ts'
import type { KeyFilter } from './list-store.ts'
import type { RotateInput } from './rotate-api-key.ts'
import type { KeyRoutes } from './routes.ts'

export interface BulkRotation {
  readonly filter: KeyFilter
  readonly expectedCount: number | undefined
  readonly input: RotateInput
  readonly request: IdempotentRequest | undefined
}

/** Where a stream stands: chunk 0 notes its beginning, so that the keys it made itself are never rotated in turn. */
interface Progress {
  startedMs: number
  begun: boolean
  after: string | undefined
  chunk: number
  rotated: number
}

/** What of `filter` is rotated: active keys without a successor. Asking for others is a mistake, not "all of them". */
export function eligible(filter: KeyFilter): KeyFilter {
  if (filter.status !== undefined && filter.status !== 'active')
    throw invalid('/filter/status', 'Only active keys are rotated.')
  return { ...filter, status: 'active', notRotated: true }
}

/** Checks everything that can be refused, then answers the lines; each ends in a line feed. */
export async function streamRotations(
  routes: KeyRoutes,
  caller: Caller,
  bulk: BulkRotation,
): Promise<Readable> {
  const { storage, context, idempotency } = routes
  const release = bulk.request ? idempotency.hold(bulk.request) : () => {}
  try {
    const known = bulk.request ? await idempotency.replay(bulk.request) : []
    if (known.length === 0) {
      const nowMs = context.changes.clock.nowMs()
      await requireCount(storage, caller, eligible(bulk.filter), bulk.expectedCount, nowMs)
    }
    const bodies = known.map((answer) => answer.body)
    return Readable.from(rotationLines(routes, caller, bulk, bodies)).once('close', release)
  } catch (error) {
    release()
    throw error
  }
}

async function* rotationLines(
  routes: KeyRoutes,
  caller: Caller,
  bulk: BulkRotation,
  known: readonly string[],
): AsyncGenerator<string> {
  const progress = resume(known, routes.context.changes.clock.nowMs())
  for (const body of known.slice(1)) yield body
  for (;;) {
    const { lines, full } = await nextBatch(routes, caller, bulk, progress)
    if (lines !== '') yield lines
    if (!full) break
  }
  yield `${JSON.stringify({ done: true, rotated: progress.rotated })}\n`
}

async function nextBatch(
  { storage, context, idempotency, present }: KeyRoutes,
  caller: Caller,
  { filter, input, request }: BulkRotation,
  progress: Progress,
): Promise<{ lines: string; full: boolean }> {
  const older = {
    ...filter,
    createdBeforeMs: Math.min(filter.createdBeforeMs ?? Infinity, progress.startedMs),
  }
  const { rotations, lines } = await storage.write(async (tx) => {
    const rotations = await rotateBatch(tx, context, caller, older, progress.after, input)
    const shown = await Promise.all(
      rotations.map(async ({ issued, old }) => ({
        old: await present.key(old),
        key: await present.issued(issued),
      })),
    )
    const lines = shown.map((line) => `${JSON.stringify(line)}\n`).join('')
    if (request && !progress.begun)
      await idempotency.keep(tx, request, 0, { status: 200, body: String(progress.startedMs) })
    if (request && lines !== '')
      await idempotency.keep(tx, request, progress.chunk + 1, { status: 200, body: lines })
    return { rotations, lines }
  })
  progress.begun = true
  progress.chunk++
  progress.rotated += rotations.length
  progress.after = rotations.at(-1)?.old.id ?? progress.after
  return { lines, full: rotations.length === ROTATE_BATCH }
}

function resume(known: readonly string[], nowMs: number): Progress {
  const [started, ...batches] = known
  const lines = batches.flatMap((body) => body.trimEnd().split('\n'))
  const last = lines.at(-1)
  return {
    startedMs: started === undefined ? nowMs : Number(started),
    begun: started !== undefined,
    after: last === undefined ? undefined : (JSON.parse(last) as { old: { id: string } }).old.id,
    chunk: batches.length,
    rotated: lines.length,
  }
}
