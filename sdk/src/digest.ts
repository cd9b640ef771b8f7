/**
 * SHA-256 of a credential, the cache's key: a heap dump of a service then shows no credential. Synchronous wherever
 * the runtime has `node:crypto`, with WebCrypto elsewhere. Which one it is gets decided at the first credential.
 */

type Digest = (text: string) => string | Promise<string>

/** The part of `node:crypto` that is looked for. `hash` came with Node 20.12 and 21.7. */
interface NodeCrypto {
  hash?: (algorithm: string, text: string) => string
  createHash?: (algorithm: string) => { update(text: string): { digest(encoding: 'hex'): string } }
}

let chosen: Digest | undefined

/** Lower-case hex. A promise only at the first calls of Node before 20.16, and where there is no `node:crypto`. */
export function digestOf(text: string): string | Promise<string> {
  if (chosen) return chosen(text)
  const builtin = builtinCrypto()
  if (!builtin) return findNodeCrypto().then((found) => (chosen = digestWith(found))(text))
  chosen = digestWith(builtin)
  return chosen(text)
}

/** Which function makes the digest, given what the runtime has. Exported for the tests. */
export function digestWith(node: NodeCrypto | undefined): Digest {
  const { hash, createHash } = node ?? {}
  if (hash) return (text) => hash('sha256', text)
  if (createHash) return (text) => createHash('sha256').update(text).digest('hex')
  return webDigest
}

/** Edge runtimes have a `process` whose members throw when they are called. */
function builtinCrypto(): NodeCrypto | undefined {
  try {
    return globalThis.process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined
  } catch {
    return undefined
  }
}

async function findNodeCrypto(): Promise<NodeCrypto | undefined> {
  // The name stands in a variable so that bundlers for other runtimes do not try to resolve it.
  const name = 'node:crypto'
  try {
    return (await import(name)) as NodeCrypto
  } catch {
    return undefined
  }
}

async function webDigest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
