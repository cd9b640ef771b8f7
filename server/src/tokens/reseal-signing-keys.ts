/** Seals every private key anew, under another root secret: offline, in the transaction that changes the secret. */
import type { Transaction } from '../storage/index.ts'
import { KeySealer } from './key-sealer.ts'
import { lockSigningKeys, selectSealed, updateSealed } from './signing-key-store.ts'

/** Answers how many. Throws when one of them was not sealed under `oldSecret`. */
export async function resealSigningKeys(
  tx: Transaction,
  oldSecret: string,
  newSecret: string,
): Promise<number> {
  const [before, after] = [new KeySealer(oldSecret), new KeySealer(newSecret)]
  await lockSigningKeys(tx)
  const keys = await selectSealed(tx)
  for (const { kid, sealed } of keys) await updateSealed(tx, kid, after.seal(kid, before.open(kid, sealed)))
  return keys.length
}
