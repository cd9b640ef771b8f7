/** Seals the secrets that providers gave us under the root secret, each for its provider. */
import { deriveKey, open, seal } from '../../kernel/index.ts'
import type { Transaction } from '../../storage/index.ts'
import { lockProviders, saveProvider } from './provider-store.ts'

export class ProviderSealer {
  readonly #key: Buffer

  constructor(rootSecret: string) {
    this.#key = deriveKey(rootSecret, 'sign-in provider sealing')
  }

  seal(providerId: string, clientSecret: string): string {
    return seal(this.#key, clientSecret, `sign-in provider ${providerId}`)
  }

  /** Throws when it was sealed under another root secret, or for another provider. */
  open(providerId: string, sealed: string): string {
    return open(this.#key, sealed, `sign-in provider ${providerId}`).toString()
  }
}

/** Seals all of them anew, under another root secret. Answers how many. */
export async function resealProviders(
  tx: Transaction,
  oldSecret: string,
  newSecret: string,
): Promise<number> {
  const [before, after] = [new ProviderSealer(oldSecret), new ProviderSealer(newSecret)]
  const providers = await lockProviders(tx)
  for (const provider of providers) {
    const secret = before.open(provider.id, provider.sealedSecret)
    await saveProvider(tx, { ...provider, sealedSecret: after.seal(provider.id, secret) })
  }
  return providers.length
}
