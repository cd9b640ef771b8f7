/**
 * How strong a sign-in was (`acr`) and what it was made of (`amr`, RFC 8176). Weakest first; each of the four is satisfied
 * by itself and by those after it.
 */

/** One factor that is no password of ours: a link in an e-mail, or another provider's word. */
export const ACR_ONE_FACTOR = 'urn:postern:acr:1fa'
export const ACR_PASSWORD = 'urn:postern:acr:pwd'
export const ACR_TWO_FACTORS = 'urn:postern:acr:mfa'
/** Phishing-resistant (OpenID Connect EAP ACR Values 1.0, section 4): a passkey with user verification. */
export const ACR_PASSKEY = 'phr'

export const ACR_VALUES = [ACR_ONE_FACTOR, ACR_PASSWORD, ACR_TWO_FACTORS, ACR_PASSKEY] as const

/** Whether a sign-in of strength `held` is enough where `wanted` is asked for. What nobody knows is satisfied by itself. */
export function satisfiesAcr(held: string, wanted: string): boolean {
  const [holds, wants] = [strength(held), strength(wanted)]
  return held === wanted || (wants >= 0 && holds >= wants)
}

/** Everything that is enough where any of `wanted` is: what a check that only compares is to be given. */
export function sufficientAcrs(wanted: readonly string[]): string[] {
  return [
    ...new Set([...wanted, ...ACR_VALUES.filter((held) => wanted.some((one) => satisfiesAcr(held, one)))]),
  ]
}

/** Whether people can sign in here so. */
export function isOurAcr(acr: string): boolean {
  return strength(acr) >= 0
}

function strength(acr: string): number {
  return (ACR_VALUES as readonly string[]).indexOf(acr)
}
