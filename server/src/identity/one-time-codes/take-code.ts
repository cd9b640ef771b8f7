/** Takes a code that somebody typed, once. */
import type { Transaction } from '../../storage/index.ts'
import type { IdentityContext } from '../identity-context.ts'
import { lockOneTimeCodes, riseLastStep, setFailures, useRecoveryCode } from './code-store.ts'
import { recoveryCodeHash } from './recovery-codes.ts'
import { stepOfCode } from './totp.ts'

/** Wrong codes in a row, of all who try: the chance to have guessed one by then is 1 in 3,000. */
export const MOST_FAILURES = 100

export type TakenCode = 'otp' | 'recovery'

/** Which kind it was; undefined: it is not right, was used, or no code is taken any more. */
export async function takeCode(
  tx: Transaction,
  { changes, codeSealer }: Pick<IdentityContext, 'changes' | 'codeSealer'>,
  userId: string,
  typed: string,
): Promise<TakenCode | undefined> {
  const nowMs = changes.clock.nowMs()
  const codes = await lockOneTimeCodes(tx, userId)
  if (!codes) return undefined

  const recovery = recoveryCodeHash(userId, typed)
  if (recovery !== undefined && (await useRecoveryCode(tx, userId, recovery, nowMs))) {
    await setFailures(tx, userId, 0)
    changes.record(
      tx,
      { type: 'user', id: userId },
      {
        action: 'recovery_code.used',
        tenant: null,
        target: { type: 'user', id: userId },
        feed: null,
      },
    )
    return 'recovery'
  }

  const { lastStep, failures } = codes
  const secret = codeSealer.open(userId, codes.sealedSecret)
  const step = stepOfCode(secret, typed.replace(/\s/g, ''), { nowMs, lastStep })
  if (failures < MOST_FAILURES && step !== undefined && (await riseLastStep(tx, userId, step, nowMs)))
    return 'otp'
  await setFailures(tx, userId, Math.min(failures + 1, MOST_FAILURES))
  return undefined
}
