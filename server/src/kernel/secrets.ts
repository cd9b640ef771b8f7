/**
 * Keys derived from the root secret, and sealing with them. HKDF-SHA256 (RFC 5869) by purpose, AES-256-GCM with a
 * random 96-bit nonce. Nothing here reads or stores the root secret.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** 32 bytes for one purpose. Different purposes are independent. */
export function deriveKey(secret: Uint8Array | string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'postern', purpose, 32))
}

/** Encrypts; the result is `nonce || ciphertext || tag`, base64url. `context` is authenticated, not stored. */
export function seal(key: Uint8Array, plaintext: Uint8Array | string, context: string): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(Buffer.from(context))
  const body = Buffer.concat([
    cipher.update(typeof plaintext === 'string' ? Buffer.from(plaintext) : plaintext),
    cipher.final(),
  ])
  return Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64url')
}

/** Decrypts what `seal` made. Throws when the key, the context or the bytes are not the same. */
export function open(key: Uint8Array, sealed: string, context: string): Buffer {
  const bytes = Buffer.from(sealed, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
  decipher.setAAD(Buffer.from(context))
  decipher.setAuthTag(bytes.subarray(-16))
  return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
}
