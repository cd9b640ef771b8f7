/**
 * Sends records in batches of one resource and tenant, a few at a time. A batch may be sent again without harm, since
 * what is there already is skipped; so what was cut can simply be run again.
 */
import { type ApiClient, ApiRefusal, call } from '../transport/api-client.ts'
import { withPatience } from '../transport/create-once.ts'
import type { ImportRecord } from './import-record.ts'

export interface Counts {
  imported: number
  /** Already there. */
  skipped: number
  faulty: number
}

export type ReportFault = (line: number, detail: string) => void

interface Batch {
  readonly resource: string
  readonly tenant: string | undefined
  items: { line: number; key: ImportRecord['key'] }[]
  bytes: number
}

const MOST_KEYS = 1_000
const MOST_BYTES = 2_000_000
const IN_FLIGHT = 4
/** Of different resources and tenants, being filled: bounds the memory. */
const MOST_OPEN = 64
const ATTEMPTS = 7

export class ImportBatches {
  readonly counts: Counts = { imported: 0, skipped: 0, faulty: 0 }
  readonly #client: ApiClient
  readonly #report: ReportFault
  readonly #open = new Map<string, Batch>()
  readonly #sending = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined

  constructor(client: ApiClient, report: ReportFault) {
    this.#client = client
    this.#report = report
  }

  /** Waits while enough is under way. Throws what a batch failed with. */
  async add(line: number, { resource, tenant, key }: ImportRecord): Promise<void> {
    const id = `${resource}\n${tenant ?? ''}`
    let batch = this.#open.get(id)
    if (!batch) {
      if (this.#open.size >= MOST_OPEN) await this.#sendLargest()
      batch = { resource, tenant, items: [], bytes: 0 }
      this.#open.set(id, batch)
    }
    batch.items.push({ line, key })
    batch.bytes += JSON.stringify(key).length
    if (batch.items.length >= MOST_KEYS || batch.bytes >= MOST_BYTES) await this.#dispatch(id, batch)
  }

  fault(line: number, detail: string): void {
    this.counts.faulty += 1
    this.#report(line, detail)
  }

  /** Sends the rest; resolves when everything is answered. */
  async finish(): Promise<void> {
    for (const [id, batch] of this.#open) await this.#dispatch(id, batch)
    await Promise.all(this.#sending)
    this.#throwFailure()
  }

  /** Waits for what is under way, whatever becomes of it. */
  async settle(): Promise<void> {
    await Promise.all(this.#sending)
  }

  async #sendLargest(): Promise<void> {
    let largest: [string, Batch] | undefined
    for (const entry of this.#open)
      if (!largest || entry[1].items.length > largest[1].items.length) largest = entry
    if (largest) await this.#dispatch(...largest)
  }

  async #dispatch(id: string, batch: Batch): Promise<void> {
    this.#open.delete(id)
    while (this.#sending.size >= IN_FLIGHT) await Promise.race(this.#sending)
    this.#throwFailure()
    const sending: Promise<void> = this.#send(batch)
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(() => this.#sending.delete(sending))
    this.#sending.add(sending)
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }

  async #send(batch: Batch): Promise<void> {
    while (batch.items.length > 0) {
      const { resource, tenant, items } = batch
      const body = { high_entropy: true, resource, tenant, keys: items.map(({ key }) => key) }
      try {
        const answer = await withPatience(
          () => call<ImportAnswer>(this.#client, 'POST', '/v1/keys/import', { body }),
          ATTEMPTS,
        )
        this.counts.imported += answer.imported
        this.counts.skipped += answer.skipped
        for (const { index, detail } of answer.errors) this.fault(items[index]?.line ?? 0, detail)
        return
      } catch (error) {
        const faults = faultsByIndex(error)
        if (faults.size === 0) throw error
        for (const [index, detail] of faults) this.fault(items[index]?.line ?? 0, detail)
        batch.items = items.filter((_, index) => !faults.has(index))
      }
    }
  }
}

interface ImportAnswer {
  readonly imported: number
  readonly skipped: number
  readonly errors: readonly { readonly index: number; readonly detail: string }[]
}

/** A batch that is refused for the form of some of its keys is sent again without them. */
function faultsByIndex(error: unknown): Map<number, string> {
  const faults = new Map<number, string>()
  if (!(error instanceof ApiRefusal) || error.status !== 400) return faults
  for (const { pointer, detail } of error.problem?.errors ?? []) {
    const [, index, member] = /^\/keys\/(\d+)(?:\/(.*))?$/.exec(pointer) ?? []
    if (index !== undefined) faults.set(Number(index), member === undefined ? detail : `${member}: ${detail}`)
  }
  return faults
}
