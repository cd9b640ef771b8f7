/**
 * One-time codes by the clock (TOTP, RFC 6238) as authenticator apps make them: SHA-1, six digits, thirty seconds. A code
 * of the step before or after is taken as well, for clocks that differ; which step it was is answered, so that no code
 * is taken twice.
 */
import { generateSecret, generateURI, ScureBase32Plugin, verifySync } from 'otplib'

const PERIOD_SECONDS = 30
/** RFC 4226, section 4, R6: 160 bits. */
const SECRET_BYTES = 20
const base32 = new ScureBase32Plugin()

export function newCodeSecret(): Buffer {
  return Buffer.from(base32.decode(generateSecret({ length: SECRET_BYTES })))
}

/** As people type it into an app that cannot scan. */
export function secretInWords(secret: Uint8Array): string {
  return (base32.encode(secret, { padding: false }).match(/.{1,4}/g) ?? []).join(' ')
}

/** What the QR code says (the Key URI format of authenticator apps). */
export function secretUri(secret: Uint8Array, issuer: string, account: string): string {
  return generateURI({
    strategy: 'totp',
    issuer,
    label: account,
    secret: base32.encode(secret, { padding: false }),
  })
}

/** The step of a code that is right now and of a later step than `lastStep`; undefined otherwise. */
export function stepOfCode(
  secret: Uint8Array,
  code: string,
  { nowMs, lastStep }: { readonly nowMs: number; readonly lastStep: number },
): number | undefined {
  if (!/^\d{6}$/.test(code)) return undefined
  const epoch = Math.floor(nowMs / 1000)
  // The clock went back: every code that it allows was taken. The library would throw.
  if (lastStep > Math.floor(epoch / PERIOD_SECONDS)) return undefined
  const result = verifySync({
    strategy: 'totp',
    secret,
    token: code,
    epoch,
    period: PERIOD_SECONDS,
    epochTolerance: PERIOD_SECONDS,
    afterTimeStep: lastStep,
  })
  return result.valid && 'timeStep' in result ? result.timeStep : undefined
}
