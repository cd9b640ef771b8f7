/**
 * Seals what a cookie or a store holds: JWE, `dir` with A256GCM (RFC 7516). Each purpose has a key of its own, derived by
 * HKDF, so that what was sealed for one opens for no other. The key's id stands in the header, so that several keys are
 * tried by name, never by trial.
 */
import type { JWTPayload } from 'jose'
import { encodeBase64url } from '../base64url.ts'
import type { Clock } from '../clock.ts'
import { optionalPeer } from './optional-peer.ts'

export interface Sealer<Content> {
  seal(content: Content, endsAtMs: number): Promise<string>
  /** Undefined: it was not sealed by us for this purpose, was changed, or has ended. */
  open(text: string): Promise<Content | undefined>
}

interface NamedKey {
  readonly id: string
  readonly bytes: Uint8Array
}

export function createSealer<Content extends object>(
  keys: readonly Uint8Array<ArrayBuffer>[],
  purpose: string,
  clock: Clock,
): Sealer<Content> {
  let derived: Promise<NamedKey[]> | undefined
  const all = (): Promise<NamedKey[]> => (derived ??= Promise.all(keys.map((key) => derive(key, purpose))))

  return {
    async seal(content, endsAtMs) {
      const [{ EncryptJWT }, [first]] = await Promise.all([optionalPeer('jose'), all()])
      const { id, bytes } = first as NamedKey
      return new EncryptJWT({ c: content } satisfies JWTPayload)
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid: id })
        .setExpirationTime(Math.floor(endsAtMs / 1000))
        .encrypt(bytes)
    },
    async open(text) {
      const [{ jwtDecrypt }, candidates] = await Promise.all([optionalPeer('jose'), all()])
      try {
        const { payload } = await jwtDecrypt(
          text,
          ({ kid }) => {
            const key = candidates.find(({ id }) => id === kid)
            if (!key) throw new Error('no such key')
            return key.bytes
          },
          {
            keyManagementAlgorithms: ['dir'],
            contentEncryptionAlgorithms: ['A256GCM'],
            requiredClaims: ['exp'],
            currentDate: new Date(clock.nowMs()),
          },
        )
        // Only what was sealed here opens, so that it is what it was.
        return payload['c'] as Content
      } catch {
        return undefined
      }
    },
  }
}

async function derive(key: Uint8Array<ArrayBuffer>, purpose: string): Promise<NamedKey> {
  const base = await crypto.subtle.importKey('raw', key, 'HKDF', false, ['deriveBits'])
  const bits = async (info: string): Promise<Uint8Array> => {
    const about = {
      name: 'HKDF',
      hash: 'SHA-256',
      salt: new Uint8Array(),
      info: new TextEncoder().encode(info),
    }
    return new Uint8Array(await crypto.subtle.deriveBits(about, base, 256))
  }
  const [bytes, name] = await Promise.all([bits(`postern web ${purpose}`), bits('postern web key id')])
  return { id: encodeBase64url(name.subarray(0, 6)), bytes }
}
