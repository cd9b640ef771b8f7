/**
 * Sign-ins that are under way and device codes that wait are sealed under the root secret. They live for minutes, so that
 * a rotation forgets them instead of sealing them anew; what users were given before stays.
 */
import type { Transaction } from '../storage/index.ts'
import { SEALED_MODELS } from './artifact.ts'
import { deleteModels } from './artifact-store.ts'

export function forgetSealedArtifacts(tx: Transaction): Promise<number> {
  return deleteModels(tx, [...SEALED_MODELS])
}
