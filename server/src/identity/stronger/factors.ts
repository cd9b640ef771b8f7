/** What a person may have to sign in with, from weakest to strongest, and which of these a strength asks for. */
import { ACR_PASSKEY, ACR_PASSWORD, ACR_TWO_FACTORS, satisfiesAcr } from '../acr.ts'
import type { IdentityContext } from '../identity-context.ts'
import { selectSecondFactor } from '../one-time-codes/code-store.ts'
import { selectPasskeys } from '../passkeys/passkey-store.ts'
import type { User } from '../user.ts'

export type Factor = 'password' | 'second_factor' | 'passkey'

/** Each with what signing in with it proves, and where it is added. */
export const FACTORS: Readonly<Record<Factor, { readonly acr: string; readonly path: string }>> = {
  password: { acr: ACR_PASSWORD, path: '/account/password' },
  second_factor: { acr: ACR_TWO_FACTORS, path: '/account/second-factor' },
  passkey: { acr: ACR_PASSKEY, path: '/account/passkeys' },
}
const WEAKEST_FIRST: readonly Factor[] = ['password', 'second_factor', 'passkey']

export interface MissingFactor {
  /** The weakest that is enough. */
  readonly factor: Factor
  /** The user has it, or a stronger one, and did not use it. */
  readonly has: boolean
}

/** What a sign-in lacks that is none of `wanted` (acr values). Undefined: nothing of ours would do. */
export async function missingFactor(
  { storage, relyingParty }: IdentityContext,
  user: User,
  wanted: readonly string[],
): Promise<MissingFactor | undefined> {
  const enough = WEAKEST_FIRST.filter((one) => wanted.some((acr) => satisfiesAcr(FACTORS[one].acr, acr)))
  const held = new Set<Factor>()
  if (user.passwordSetAtMs !== null) held.add('password')
  if (await selectSecondFactor(storage, user.id)) held.add('second_factor')
  if (relyingParty && (await selectPasskeys(storage, user.id)).length > 0) held.add('passkey')
  const had = enough.find((one) => held.has(one))
  if (had !== undefined) return { factor: had, has: true }
  const factor = enough.find((one) => one !== 'passkey' || relyingParty !== undefined)
  return factor === undefined ? undefined : { factor, has: false }
}
