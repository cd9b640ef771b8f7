/**
 * What a grant uses up and what it stores, in one transaction: the engine writes them one after another, each durable
 * by itself. Held back until the engine is done, they cost one commit instead of three, and an outage between them
 * leaves nobody with a token that is used up and nothing in its place.
 */
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import type { Artifact, Artifacts, Consumption } from '../clients/index.ts'
import { evidence } from './evidence.ts'

/** Filled by the adapter while the engine works (see adapter.ts). */
export interface Held {
  consumed: { readonly model: string; readonly id: string } | undefined
  /** All of the same grant. */
  readonly saved: Artifact[]
}

type GrantHandler = (ctx: KoaContextWithOIDC) => Promise<void>

/** The engine's handler of `grant_type=authorization_code`, with that around it. */
export function inOneWrite(
  { artifacts }: { readonly artifacts: Artifacts },
  exchange: GrantHandler,
): GrantHandler {
  return async (ctx) => {
    const held: Held = { consumed: undefined, saved: [] }
    try {
      await holdBack(held, () => exchange(ctx))
    } catch (error) {
      // A code that was good and led to nothing is used up all the same.
      await writeHeld(artifacts, { ...held, saved: [] })
      throw error
    }
    if ((await writeHeld(artifacts, held)) === 'lost')
      throw new errors.InvalidGrant(`${held.consumed?.model} was presented twice`)
  }
}

/** Runs the engine with its writes held back: what it wanted to write is in `held` afterwards. */
export async function holdBack(held: Held, work: () => Promise<void>): Promise<void> {
  const known = evidence()
  known.held = held
  try {
    await work()
  } finally {
    known.held = undefined
  }
}

/** Undefined when nothing was used up. */
export async function writeHeld(
  artifacts: Artifacts,
  { consumed, saved }: Held,
  { spare = false } = {},
): Promise<Consumption | undefined> {
  return consumed && artifacts.consume(consumed.model, consumed.id, { spare, andSave: saved })
}
