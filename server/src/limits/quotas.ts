/**
 * Quotas: taken from the database in blocks, ahead of their use, so that a crash and several processes never admit more
 * than the whole. A request waits for the database only when the block is used up before the next one is there.
 */
import type { Clock } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import type { BoundQuota } from './bound-limit.ts'
import { periodAt } from './limit.ts'
import { giveBack, reserve } from './quota-store.ts'

export interface QuotaState {
  readonly remaining: number
  /** Until the next period begins. */
  readonly resetMs: number
}

interface Block {
  readonly period: string
  readonly endsAtMs: number
  /** Reserved and not spent. */
  left: number
  /** How much was reserved last; the next is asked for when little of it is left. */
  size: number
  /** Of the whole quota, reserved by anybody, as of the last look. */
  reserved: number
  /** When the database was found to have nothing left (monotonic). */
  exhaustedAtMs: number | undefined
  reserving: Promise<void> | undefined
  /** What is waited for: the next block is as large. */
  wanted: number
}

const MOST_BLOCKS = 100_000
/** Another process may have given something back. */
const LOOK_AGAIN_MS = 1_000

export class Quotas {
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #blocks = new Map<string, Block>()

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
  }

  /** Undefined when it can be decided at once; otherwise resolves when it is worth trying again. */
  ready(quotas: readonly BoundQuota[], cost: number): Promise<unknown> | undefined {
    let waits: Promise<void>[] | undefined
    for (const quota of quotas) {
      const block = this.#block(quota)
      if (block.left >= cost) {
        if (block.left - cost < block.size / 4) this.#reserveAhead(quota, block)
        continue
      }
      const nowMs = this.#clock.monotonicMs()
      if (block.exhaustedAtMs !== undefined && nowMs - block.exhaustedAtMs < LOOK_AGAIN_MS) continue
      block.wanted += cost
      ;(waits ??= []).push((block.reserving ??= this.#reserve(quota, block, cost)))
    }
    return waits && Promise.all(waits)
  }

  /** All or none. */
  take(quotas: readonly BoundQuota[], cost: number): boolean {
    const blocks = quotas.map((quota) => this.#block(quota))
    if (!blocks.every(({ left }) => left >= cost)) return false
    for (const block of blocks) block.left -= cost
    return true
  }

  putBack(quotas: readonly BoundQuota[], cost: number): void {
    for (const quota of quotas) this.#block(quota).left += cost
  }

  /** At most `want` of what this process has reserved; it is spent unless it is put back. */
  slice(quota: BoundQuota, want: number): number {
    const block = this.#block(quota)
    const slice = Math.max(0, Math.min(want, block.left))
    block.left -= slice
    return slice
  }

  state(quota: BoundQuota): QuotaState {
    const { reserved, left, endsAtMs } = this.#block(quota)
    return {
      remaining: Math.max(0, quota.limit.limit - reserved + left),
      resetMs: Math.max(0, endsAtMs - this.#clock.nowMs()),
    }
  }

  /** Gives back what was reserved and not spent. */
  async close(): Promise<void> {
    const blocks = [...this.#blocks]
    this.#blocks.clear()
    await Promise.all(blocks.map(([, { reserving }]) => reserving))
    const unspent = blocks.filter(([, { left }]) => left > 0)
    for (let at = 0; at < unspent.length; at += 500) {
      const batch = unspent.slice(at, at + 500)
      await this.#storage.write((tx) =>
        giveBack(
          tx,
          batch.map(([bucket, { period, left }]) => ({ bucket, period, amount: left })),
        ),
      )
    }
  }

  #block(quota: BoundQuota): Block {
    const known = this.#blocks.get(quota.bucket)
    const nowMs = this.#clock.nowMs()
    // A clock that went back into the last period finds its block gone, and begins with nothing reserved.
    if (known && nowMs < known.endsAtMs) return known
    const { name, endsAtMs } = periodAt(quota.limit.period, nowMs)
    if (!known && this.#blocks.size >= MOST_BLOCKS)
      this.#blocks.delete(this.#blocks.keys().next().value as string)
    const block: Block = {
      period: name,
      endsAtMs,
      left: 0,
      size: 0,
      reserved: 0,
      exhaustedAtMs: undefined,
      reserving: undefined,
      wanted: 0,
    }
    this.#blocks.set(quota.bucket, block)
    return block
  }

  #reserveAhead(quota: BoundQuota, block: Block): void {
    if (block.reserving || block.exhaustedAtMs !== undefined) return
    block.reserving = this.#reserve(quota, block, 1)
    // Nobody waits for it: whoever needs it and finds none there tries again, and hears of the failure.
    block.reserving.catch(() => {})
  }

  async #reserve({ bucket, limit }: BoundQuota, block: Block, cost: number): Promise<void> {
    const { period, endsAtMs, wanted } = block
    block.wanted = 0
    try {
      const { got, reserved } = await this.#storage.write((tx) =>
        reserve(tx, { bucket, period, endsAtMs, limit: limit.limit, atLeast: cost - block.left, wanted }),
      )
      block.left += got
      block.size = got
      block.reserved = reserved
      block.exhaustedAtMs = got === 0 ? this.#clock.monotonicMs() : undefined
    } finally {
      block.reserving = undefined
    }
  }
}
