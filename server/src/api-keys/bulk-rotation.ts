/**
 * Rotating many keys as a stream of lines, each new key shown once. With an Idempotency-Key every batch's lines are
 * kept, sealed, in the batch's own transaction: a stream that was cut loses no key.
 */
import type { Caller } from '../kernel/index.ts'
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
  after: string | undefined
  chunk: number
  rotated: number
}

/** Checks everything that can be refused, then answers the lines; each ends in a line feed. */
export async function streamRotations(
  routes: KeyRoutes,
  caller: Caller,
  bulk: BulkRotation,
): Promise<AsyncGenerator<string>> {
  const { storage, context, idempotency } = routes
  const known = bulk.request ? await idempotency.replay(bulk.request) : []
  if (known.length === 0) {
    const eligible = { ...bulk.filter, status: 'active' as const, notRotated: true }
    await requireCount(storage, caller, eligible, bulk.expectedCount, context.changes.clock.nowMs())
  }
  return rotationLines(
    routes,
    caller,
    bulk,
    known.map((answer) => answer.body),
  )
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
    if (request && progress.chunk === 0)
      await idempotency.keep(tx, request, 0, { status: 200, body: String(progress.startedMs) })
    if (request && lines !== '')
      await idempotency.keep(tx, request, progress.chunk + 1, { status: 200, body: lines })
    return { rotations, lines }
  })
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
    after: last === undefined ? undefined : (JSON.parse(last) as { old: { id: string } }).old.id,
    chunk: batches.length,
    rotated: lines.length,
  }
}
