/** A whole report: every text in it looked up, every key of ours in it dealt with, batch by batch. */
import { type ApiKey, findKeysByText, type KeyContext } from '../api-keys/index.ts'
import type { Storage } from '../storage/index.ts'
import { actOnLeak, type Handled, mayReport, type Report } from './act-on-leak.ts'
import type { Sighting } from './leak.ts'

export interface LeakPorts {
  readonly storage: Storage
  readonly context: KeyContext
}

export interface Outcome {
  readonly sighting: Sighting
  /** The keys that it is: none, or one; of an imported text each tenant's. */
  readonly keys: readonly Handled[]
}

const LOOKED_UP_AT_ONCE = 200
const CHANGED_AT_ONCE = 50

/** In the order of `sightings`. With `dryRun` nothing is changed and nothing is noted. */
export async function handleReport(
  { storage, context }: LeakPorts,
  report: Report,
  sightings: readonly Sighting[],
  dryRun = false,
): Promise<Outcome[]> {
  const found = await findAll({ storage, context }, sightings)
  const work = sightings.flatMap((sighting) =>
    (found.get(sighting.token) ?? [])
      .filter((key) => mayReport(report.caller, key))
      .map((key) => ({ sighting, key })),
  )
  const handled = new Map<Sighting, Handled[]>()
  const note = (sighting: Sighting, one: Handled): void =>
    void handled.set(sighting, [...(handled.get(sighting) ?? []), one])

  if (dryRun) for (const { sighting, key } of work) note(sighting, { key, action: 'none', known: false })
  else {
    // In the order of ids, as keys are locked everywhere.
    work.sort((a, b) => (a.key.id < b.key.id ? -1 : a.key.id > b.key.id ? 1 : 0))
    for (let at = 0; at < work.length; at += CHANGED_AT_ONCE) {
      const batch = work.slice(at, at + CHANGED_AT_ONCE)
      const done = await storage.write(async (tx) => {
        const each: (Handled | undefined)[] = []
        for (const { sighting, key } of batch)
          each.push(await actOnLeak(tx, context, report, key.id, sighting))
        return each
      })
      for (const [index, one] of done.entries())
        if (one) note((batch[index] as (typeof batch)[number]).sighting, one)
    }
  }
  return sightings.map((sighting) => ({ sighting, keys: handled.get(sighting) ?? [] }))
}

async function findAll(
  { storage, context }: LeakPorts,
  sightings: readonly Sighting[],
): Promise<Map<string, ApiKey[]>> {
  const texts = [...new Set(sightings.map(({ token }) => token))]
  const found = new Map<string, ApiKey[]>()
  for (let at = 0; at < texts.length; at += LOOKED_UP_AT_ONCE)
    for (const [text, keys] of await findKeysByText(
      storage,
      context.peppers,
      texts.slice(at, at + LOOKED_UP_AT_ONCE),
    ))
      found.set(text, keys)
  return found
}
