/**
 * `node:crypto`, where the runtime has it: its functions are synchronous, and several times as fast as WebCrypto's. The
 * module is looked for at run time, so that bundlers for other runtimes have nothing to resolve.
 */

import type { KeyObject, VerifyKeyObjectInput } from 'node:crypto'
import { builtinModule } from './builtin-module.ts'

export type KeyUse = VerifyKeyObjectInput

/** Of `node:crypto`, what is used. `hash` came with Node 20.12 and 21.7. */
export interface NodeCrypto {
  hash?: (algorithm: string, text: string) => string
  createHash?: (algorithm: string) => { update(text: string): { digest(encoding: 'hex'): string } }
  createPublicKey?: (key: { key: { kty?: string }; format: 'jwk' }) => KeyObject
  verify?: (digest: string | null, data: Uint8Array, key: KeyUse, signature: Uint8Array) => boolean
}

let found: { readonly module: NodeCrypto | undefined } | undefined

/** A promise only until the first one is settled, in Node before 20.16 and where there is no `node:crypto`. */
export function nodeCrypto(): NodeCrypto | undefined | Promise<NodeCrypto | undefined> {
  if (found) return found.module
  const builtin = builtinModule('node:crypto') as NodeCrypto | undefined
  if (!builtin) return imported().then((module) => (found = { module }).module)
  found = { module: builtin }
  return builtin
}

async function imported(): Promise<NodeCrypto | undefined> {
  // The name stands in a variable so that bundlers for other runtimes do not try to resolve it.
  const name = 'node:crypto'
  try {
    return (await import(name)) as NodeCrypto
  } catch {
    return undefined
  }
}
