/** Base64url without padding (RFC 4648, section 5), read strictly: two texts are never the same bytes. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** For text of the alphabet: whether the bits that the last character has left over are zero. */
export function isCanonical(segment: string): boolean {
  const rest = segment.length % 4
  if (rest === 0) return true
  if (rest === 1) return false
  const bits = ALPHABET.indexOf(segment.charAt(segment.length - 1))
  return (bits & (rest === 2 ? 15 : 3)) === 0
}

interface NodeBuffer {
  from(text: string, encoding: 'base64url' | 'latin1'): Uint8Array<ArrayBuffer>
}

const { Buffer: nodeBuffer } = globalThis as { Buffer?: NodeBuffer }

/** For canonical text. */
export const decodeBase64url: (segment: string) => Uint8Array<ArrayBuffer> = nodeBuffer
  ? (segment) => nodeBuffer.from(segment, 'base64url')
  : (segment) => latin1Bytes(atob(segment.replaceAll('-', '+').replaceAll('_', '/')))

export function encodeBase64url(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** The bytes of a text that has none but those. */
export const bytesOf: (text: string) => Uint8Array<ArrayBuffer> = nodeBuffer
  ? (text) => nodeBuffer.from(text, 'latin1')
  : latin1Bytes

function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length)
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index)
  return bytes
}
