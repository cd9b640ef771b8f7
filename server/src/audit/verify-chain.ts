/** Walks the whole audit chain and says where it breaks. */
import type { Storage } from '../storage/index.ts'
import { chainHash, GENESIS } from './audit-event.ts'
import { type ChainHead, readChain, readHead } from './store.ts'

export interface ChainCheck {
  readonly ok: boolean
  readonly checked: number
  readonly head: ChainHead
  readonly brokenAt?: { readonly seq: number; readonly reason: string }
}

const PAGE = 1_000

/**
 * Recomputes every hash. A cut tail leaves a chain that is whole in itself: it shows only against the stored head and
 * against `kept`, a head that was printed earlier and kept elsewhere. Not checked: events after `kept`, against
 * anything but the chain itself.
 */
export async function verifyChain(
  storage: Storage,
  kept?: ChainHead,
  progress: (checked: number, total: number) => void = () => {},
): Promise<ChainCheck> {
  const head = await readHead(storage)
  const broken = (seq: number, reason: string): ChainCheck => ({
    ok: false,
    checked: previous.seq,
    head,
    brokenAt: { seq, reason },
  })
  let previous: ChainHead = { seq: 0, hash: GENESIS }
  for (;;) {
    const events = await readChain(storage, previous.seq, PAGE)
    for (const event of events) {
      // Events appended while we walk are beyond the head that was read; the next check sees them.
      if (event.seq > head.seq) break
      const seq = previous.seq + 1
      if (event.seq !== seq) return broken(seq, 'the event is missing')
      if (event.previousHash !== previous.hash) return broken(seq, 'it does not follow the event before it')
      if (event.hash !== chainHash(previous.hash, seq, event)) return broken(seq, 'its content was changed')
      previous = { seq, hash: event.hash }
      if (kept && kept.seq === seq && kept.hash !== event.hash)
        return broken(seq, 'it is not the event that was kept elsewhere')
    }
    progress(previous.seq, head.seq)
    if (events.length < PAGE || previous.seq >= head.seq) break
  }
  if (previous.seq !== head.seq || previous.hash !== head.hash)
    return broken(previous.seq + 1, 'the tail up to the stored head was cut off')
  if (kept && kept.seq > previous.seq)
    return broken(previous.seq + 1, 'the tail up to the head that was kept elsewhere was cut off')
  return { ok: true, checked: previous.seq, head }
}
