/** A passkey: a WebAuthn credential of one user, found by the browser itself (discoverable). */

/** More than these of one user are refused. */
export const MOST_PASSKEYS = 20
export const LONGEST_PASSKEY_NAME = 60

export interface Passkey {
  readonly id: string
  readonly userId: string
  /** Base64url, as the authenticator made it. */
  readonly credentialId: string
  /** COSE, base64url. */
  readonly publicKey: string
  /** How often the authenticator says that it was used; 0: it does not count. */
  readonly counter: number
  /** How browsers reach it: `internal`, `usb`, `hybrid`, … */
  readonly transports: readonly string[]
  /** It may be copied to the person's other devices: its key is in software (RFC 8176, `swk`). */
  readonly synced: boolean
  /** The person's own. */
  readonly name: string
  readonly createdAtMs: number
  readonly lastUsedAtMs: number | null
}

/** What its owner calls it: one line of printable text. */
export function passkeyName(typed: string): string {
  const name = typed.replace(/\p{C}/gu, ' ').trim().slice(0, LONGEST_PASSKEY_NAME)
  return name === '' ? 'Passkey' : name
}
