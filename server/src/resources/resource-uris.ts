/** The URI of a resource by its id, for showing. A URI never changes, so what was read once holds. */
import type { Storage } from '../storage/index.ts'
import { selectUris } from './store.ts'

export class ResourceUris {
  readonly #storage: Storage
  readonly #known = new Map<string, string>()

  constructor(storage: Storage) {
    this.#storage = storage
  }

  /** Reads those that are not known yet, deleted ones included: their keys are still shown. */
  async know(ids: readonly string[]): Promise<void> {
    const unknown = [...new Set(ids)].filter((id) => !this.#known.has(id))
    if (unknown.length === 0) return
    for (const { id, uri } of await selectUris(this.#storage, unknown)) this.#known.set(id, uri)
  }

  /** Throws when `know` was not asked for it. */
  uriOf(id: string): string {
    const uri = this.#known.get(id)
    if (uri === undefined) throw new Error(`The URI of ${id} has not been read.`)
    return uri
  }
}
