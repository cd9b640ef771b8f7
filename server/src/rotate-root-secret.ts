/**
 * Replaces the root secret: everything that is sealed under it is sealed anew, in one transaction. Offline: a process
 * that runs with the old secret would go on sealing under it.
 */
import { resealPeppers } from './api-keys/index.ts'
import { replaceRootCheck, SYSTEM } from './bootstrap.ts'
import { forgetSealedArtifacts } from './clients/index.ts'
import { resealOneTimeCodes, resealProviders } from './identity/index.ts'
import type { Changes } from './revocation/index.ts'
import { forgetIdempotentAnswers, type Storage, type Transaction } from './storage/index.ts'
import { resealSigningKeys } from './tokens/index.ts'
import { resealWebhookSecrets } from './webhooks/index.ts'

type Reseal = (tx: Transaction, oldSecret: string, newSecret: string) => Promise<number>

/** One row for each thing that is sealed under the root secret; whoever seals another one adds it here. */
const RESEALS: readonly (readonly [string, Reseal])[] = [
  ['peppers', resealPeppers],
  ['signing_keys', resealSigningKeys],
  ['one_time_codes', resealOneTimeCodes],
  ['sign_in_providers', resealProviders],
  ['webhook_secrets', resealWebhookSecrets],
]

/**
 * Answers how many of each were sealed anew. Throws, and changes nothing, when `oldSecret` is not the one in use.
 * Answers kept for an Idempotency-Key and sign-ins under way are forgotten: nobody can open them any more.
 */
export async function resealAll(
  storage: Storage,
  changes: Changes,
  oldSecret: string,
  newSecret: string,
): Promise<Readonly<Record<string, number>>> {
  if (newSecret.length < 32) throw new Error('The new root secret needs at least 32 characters.')
  if (newSecret === oldSecret) throw new Error('The new root secret is the old one.')
  return storage.write(async (tx) => {
    await replaceRootCheck(tx, oldSecret, newSecret)
    const sealed: Record<string, number> = {}
    for (const [name, reseal] of RESEALS) sealed[name] = await reseal(tx, oldSecret, newSecret)
    await forgetIdempotentAnswers(tx)
    await forgetSealedArtifacts(tx)
    changes.record(tx, SYSTEM, {
      action: 'root_secret.rotated',
      tenant: null,
      target: { type: 'deployment', id: 'root_secret' },
      data: sealed,
      feed: null,
    })
    return sealed
  })
}
