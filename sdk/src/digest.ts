/**
 * SHA-256 of a credential, the cache's key: a heap dump of a service then shows no credential. Synchronous wherever
 * the runtime has `node:crypto`, with WebCrypto elsewhere. Which one it is gets decided at the first credential.
 */
import { nodeCrypto, type NodeCrypto } from './node-crypto.ts'

type Digest = (text: string) => string | Promise<string>

let chosen: Digest | undefined

/** Lower-case hex. A promise only at the first calls of Node before 20.16, and where there is no `node:crypto`. */
export function digestOf(text: string): string | Promise<string> {
  if (chosen) return chosen(text)
  const node = nodeCrypto()
  if (node instanceof Promise) return node.then((found) => (chosen = digestWith(found))(text))
  chosen = digestWith(node)
  return chosen(text)
}

/** Which function makes the digest, given what the runtime has. Exported for the tests. */
export function digestWith(node: NodeCrypto | undefined): Digest {
  const { hash, createHash } = node ?? {}
  if (hash) return (text) => hash('sha256', text)
  if (createHash) return (text) => createHash('sha256').update(text).digest('hex')
  return webDigest
}

async function webDigest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
