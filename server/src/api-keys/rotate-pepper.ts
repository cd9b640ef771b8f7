/** Makes a new version of the pepper the current one. Keys move to it as they are used. */
import { type Caller, PosternError, requireDeployment } from '../kernel/index.ts'
import { type Storage, UniqueViolation } from '../storage/index.ts'
import type { KeyContext } from './key-context.ts'

export async function rotatePepper(
  storage: Storage,
  { changes, peppers }: KeyContext,
  caller: Caller,
): Promise<number> {
  requireDeployment(caller, 'Rotating the pepper')
  // Another process may have rotated meanwhile: count on from what is stored.
  await peppers.load(storage)
  const rotation = storage.write(async (tx) => {
    const added = await peppers.add(tx, changes.clock.nowMs())
    changes.record(tx, caller, {
      action: 'pepper.rotated',
      tenant: null,
      target: { type: 'pepper', id: String(added) },
      feed: null,
    })
    return added
  })
  const version = await rotation.catch((error: unknown) => {
    if (error instanceof UniqueViolation)
      throw new PosternError('conflict', 'Another rotation finished just now.')
    throw error
  })
  await peppers.load(storage)
  return version
}
