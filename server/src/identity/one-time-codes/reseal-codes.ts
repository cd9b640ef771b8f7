/** Seals every user's secret anew, under another root secret: offline, in the transaction that changes the secret. */
import type { Transaction } from '../../storage/index.ts'
import { CodeSealer } from './code-sealer.ts'
import { selectSealedSecrets, updateSealedSecret } from './code-store.ts'

/** Answers how many. Throws when one of them was not sealed under `oldSecret`. */
export async function resealOneTimeCodes(
  tx: Transaction,
  oldSecret: string,
  newSecret: string,
): Promise<number> {
  const [before, after] = [new CodeSealer(oldSecret), new CodeSealer(newSecret)]
  const rows = await selectSealedSecrets(tx)
  for (const { userId, sealed } of rows)
    await updateSealedSecret(tx, userId, after.seal(userId, before.open(userId, sealed)))
  return rows.length
}
