/**
 * Rates counted in Valkey (or Redis, 6.2 or later), exactly for any number of processes: one script, one round trip for
 * a decision. All keys have one hash tag, so that in a cluster they are on one node and one script sees them all.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createClient } from '@redis/client'
import type { BoundRate } from './bound-limit.ts'
import type { Counters, Leased, LeaseTerms, Taken } from './counters.ts'
import { perMs } from './limit.ts'
import { LEASE, TAKE } from './valkey-script.ts'

export interface ValkeyOptions {
  readonly url: string
  /** The feed's position: what gets its limits from now on was never spent. */
  position(): number
  /** Told once for each change between reached and lost. */
  onChange(reached: boolean, error?: unknown): void
}

const ANSWER_MS = 1_000
const CONNECT_MS = 2_000
const LONGEST_PAUSE_MS = 1_000
const PREFIX = '{postern}:limits:'

interface Script {
  readonly text: string
  readonly sha: string
}

const [TAKING, LEASING] = [TAKE, LEASE].map((text): Script => ({
  text,
  sha: createHash('sha1').update(text).digest('hex'),
})) as [Script, Script]

export class ValkeyCounters implements Counters {
  readonly #client: ReturnType<typeof createClient>
  readonly #position: () => number
  /** What this process admitted on its own, for the next time that the bucket is asked about. */
  #owed = new Map<string, number>()

  constructor({ url, position, onChange }: ValkeyOptions) {
    this.#position = position
    this.#client = createClient({
      url: url.replace(/^valkey(s?):/, 'redis$1:'),
      disableOfflineQueue: true,
      socket: {
        connectTimeout: CONNECT_MS,
        reconnectStrategy: (tries) => Math.min(50 * 2 ** Math.min(tries, 6), LONGEST_PAUSE_MS),
      },
    })
    let reached = true
    this.#client.on('ready', () => {
      // From now on it remembers, and a burst of first requests need not send the text of the script with each.
      for (const { text } of [TAKING, LEASING])
        this.#client.sendCommand(['SCRIPT', 'LOAD', text]).catch(() => {})
      this.take([], 0).catch(() => {})
      if (!reached) onChange(true)
      reached = true
    })
    this.#client.on('error', (error: unknown) => {
      if (reached) onChange(false, error)
      reached = false
    })
  }

  get isReady(): boolean {
    return this.#client.isReady
  }

  /** Waits a moment for the first connection; without one it goes on trying. */
  async connect(): Promise<void> {
    const connecting = this.#client.connect().catch(() => {})
    await within(CONNECT_MS, connecting).catch(() => {})
  }

  async take(rates: readonly BoundRate[], cost: number): Promise<Taken> {
    const owed = rates.map(({ bucket }) => this.#owed.get(bucket) ?? 0)
    const answer = (await this.#run(
      TAKING,
      rates.map(({ bucket }) => bucket),
      [cost, ...rates.flatMap(({ limit, rsn }, index) => [perMs(limit), limit.burst, rsn, owed[index] ?? 0])],
    )) as [number, ...string[]]
    if (this.#owed.size > 0) for (const { bucket } of rates) this.#owed.delete(bucket)
    const [ok, ...levels] = answer
    return { ok: ok === 1, levels: levels.map(Number) }
  }

  async lease(
    { bucket, limit, rsn }: BoundRate,
    { holder, id, granted, spent, returned, want }: LeaseTerms,
  ): Promise<Leased> {
    const fresh = randomBytes(9).toString('base64url')
    const terms = [holder, id ?? '-', granted, spent, returned, want, fresh]
    const answer = await this.#run(LEASING, [bucket], [perMs(limit), limit.burst, rsn, ...terms])
    const [leaseId, total, level, holders] = answer as [string, number, string, number]
    return { id: leaseId, granted: Number(total), level: Number(level), holders: Number(holders) }
  }

  /** What was admitted while Valkey could not be asked, by bucket: it is taken there as soon as it can. */
  owe(debts: ReadonlyMap<string, number>): void {
    for (const [bucket, cost] of debts) this.#owed.set(bucket, (this.#owed.get(bucket) ?? 0) + cost)
  }

  close(): void {
    this.#client.destroy()
  }

  async #run(
    { text, sha }: Script,
    buckets: readonly string[],
    words: readonly (string | number)[],
  ): Promise<unknown> {
    const keys = [`${PREFIX}since`, ...buckets.map((bucket) => `${PREFIX}${bucket}`)]
    const rest = [String(keys.length), ...keys, String(this.#position()), ...words.map(String)]
    try {
      return await within(ANSWER_MS, this.#client.sendCommand(['EVALSHA', sha, ...rest]))
    } catch (error) {
      // It was restarted, or never saw the script.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return within(ANSWER_MS, this.#client.sendCommand(['EVAL', text, ...rest]))
    }
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  // One more look at the socket: when this process was busy for so long, the answer may be there already.
  const late = (): void => reject(new Error(`Valkey did not answer within ${ms} ms.`))
  const timer = setTimeout(() => setImmediate(late), ms)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}
