/**
 * Limits without a call: this process holds slices of them, and decides by itself as long as they last. The server took
 * each slice out of the limit when it gave it, so all processes together never admit more than the limit. A lease ends
 * a second after the request for it was *sent*, by this process's monotonic clock; what it did not say it returns is
 * spent.
 */

/** A limit as an answer of the server names it. */
export interface LeasableLimit {
  /** The counter's name. */
  readonly bucket: string
  readonly enforcement: 'strict' | 'leased'
}

export type LeaseDecision =
  /** Charged here: no call is needed. */
  | { readonly kind: 'admitted' }
  /** A slice is used up, and nothing was charged. */
  | { readonly kind: 'refused'; readonly bucket: string }
  /**
   * The server has to be asked about the rest: tell it what was `reserved` here, and call `refund` with the decision when
   * it refuses. `leases` are those that `reserved` was charged to. `isPending`: some of the rest may soon be leased;
   * whoever waits for `renew` and decides again spares the server a question.
   */
  | {
      readonly kind: 'ask'
      readonly reserved: readonly string[]
      readonly leases: readonly string[]
      readonly isPending: boolean
    }

/** One bucket of `POST /v1/limits/leases`, and of its answer. */
export interface LeaseWish {
  readonly bucket: string
  readonly lease?: string
  readonly granted: number
  readonly spent: number
  readonly returned: number
  readonly want: number
}
export interface LeaseAnswer {
  readonly bucket: string
  readonly strict: boolean
  readonly lease?: string
  readonly granted?: number
}

export interface LeaseHolderOptions {
  /** Sends the wishes; rejects when there is no answer. */
  send(wishes: readonly LeaseWish[]): Promise<readonly LeaseAnswer[]>
  /** Milliseconds that never go back. */
  nowMs(): number
  /** Calls later, and answers what calls it off. Without it, whoever has the holder calls `renew`. */
  after?(ms: number, act: () => void): () => void
}

interface Held {
  lease: string | undefined
  granted: number
  spent: number
  returned: number
  endsAtMs: number
  /** What was asked for since the last renewal, admitted or not. */
  demand: number
  /** The same of the renewals before, fading. */
  usual: number
  lastUsedMs: number
  /** Until then the server wants to be asked. */
  strictUntilMs: number
}

const LEASE_MS = 1_000
/** How often to renew; the server says the same. */
export const RENEW_MS = 200
const IDLE_MS = 2_000
const STRICT_MS = 5_000
const MOST_HELD = 10_000
const LARGEST_MESSAGE = 1_000

export class LeaseHolder {
  readonly #options: LeaseHolderOptions
  readonly #held = new Map<string, Held>()
  #renewing: Promise<boolean> | undefined
  #stopTimer: (() => void) | undefined
  #isStopped = false

  constructor(options: LeaseHolderOptions) {
    this.#options = options
  }

  /**
   * Charges all limits or none. Never waits; what is missing is asked for in the background. `again`: the same request,
   * once more.
   */
  decide(
    limits: readonly LeasableLimit[],
    cost: number,
    nowMs = this.#options.nowMs(),
    again = false,
  ): LeaseDecision {
    let reserved: string[] | undefined
    let missing = false
    let isPending = false
    for (const { bucket, enforcement } of limits) {
      if (enforcement !== 'leased') {
        missing = true
        continue
      }
      const held = this.#note(bucket, again ? 0 : cost, nowMs)
      if (held === undefined) missing = true
      else if (held.lease === undefined || held.endsAtMs <= nowMs) {
        missing = true
        isPending ||= held.strictUntilMs <= nowMs
      } else if (tokensOf(held) < cost) return { kind: 'refused', bucket }
      else (reserved ??= []).push(bucket)
    }
    if (reserved !== undefined)
      for (let at = 0; at < reserved.length; at++)
        (this.#held.get(reserved[at] as string) as Held).spent += cost
    if (!missing) return ADMITTED
    const leases = reserved?.map((bucket) => this.#held.get(bucket)?.lease ?? '')
    return { kind: 'ask', reserved: reserved ?? NONE, leases: leases ?? NONE, isPending }
  }

  /** The server refused what was reserved here. A lease that has ended since takes nothing back: it was spent. */
  refund(decision: LeaseDecision, cost: number): void {
    if (decision.kind !== 'ask') return
    for (const [index, bucket] of decision.reserved.entries()) {
      const held = this.#held.get(bucket)
      if (held && held.lease === decision.leases[index] && held.spent >= cost) held.spent -= cost
    }
  }

  /** What a slice still holds; undefined without a lease. */
  left(bucket: string, nowMs = this.#options.nowMs()): number | undefined {
    const held = this.#held.get(bucket)
    return held?.lease === undefined || held.endsAtMs <= nowMs ? undefined : tokensOf(held)
  }

  /** Tells what was spent, gives back what is too much, asks for what will be needed. One at a time. False: no answer. */
  renew(): Promise<boolean> {
    return (this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined)))
  }

  /** Gives everything back, and asks for nothing more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopTimer?.()
    await this.#renewing
    for (const held of this.#held.values()) held.lastUsedMs = Number.NEGATIVE_INFINITY
    await this.renew()
  }

  /** While anything is held; at once for the first. */
  #keepRenewing(): void {
    const { after } = this.#options
    if (this.#stopTimer || this.#isStopped || !after) return
    void this.renew()
    const tick = (): void => {
      this.#stopTimer = undefined
      if (this.#held.size === 0) return
      void this.renew()
      this.#stopTimer = after(RENEW_MS, tick)
    }
    this.#stopTimer = after(RENEW_MS, tick)
  }

  #note(bucket: string, cost: number, nowMs: number): Held | undefined {
    let held = this.#held.get(bucket)
    if (!held) {
      if (this.#held.size >= MOST_HELD) return undefined
      held = {
        lease: undefined,
        granted: 0,
        spent: 0,
        returned: 0,
        endsAtMs: 0,
        demand: 0,
        usual: 0,
        lastUsedMs: nowMs,
        strictUntilMs: 0,
      }
      this.#held.set(bucket, held)
    }
    held.demand += cost
    held.lastUsedMs = nowMs
    if (this.#stopTimer === undefined) this.#keepRenewing()
    return held
  }

  async #renew(): Promise<boolean> {
    const sentMs = this.#options.nowMs()
    const wishes: LeaseWish[] = []
    for (const [bucket, held] of this.#held) {
      const wish = this.#wish(bucket, held, sentMs)
      if (wish) wishes.push(wish)
      if (wishes.length >= LARGEST_MESSAGE) break
    }
    if (wishes.length === 0) return true
    let answers: readonly LeaseAnswer[]
    try {
      answers = await this.#options.send(wishes)
    } catch {
      // The numbers are counted since the lease began: the next message says all that this one said.
      return false
    }
    for (const answer of answers) this.#take(answer, sentMs)
    return true
  }

  #wish(bucket: string, held: Held, nowMs: number): LeaseWish | undefined {
    if (held.strictUntilMs > nowMs) return undefined
    if (held.lease !== undefined && held.endsAtMs <= nowMs) forget(held)
    const { demand } = held
    held.demand = 0
    held.usual = Math.max(demand, held.usual / 2)
    const idle = nowMs - held.lastUsedMs > IDLE_MS
    const target = idle ? 0 : Math.ceil(held.usual * 1.25)
    const tokens = tokensOf(held)
    if (idle && tokens === 0) {
      this.#held.delete(bucket)
      return undefined
    }
    // Gone from here before the server hears of it.
    held.returned += Math.max(0, tokens - target)
    return {
      bucket,
      ...(held.lease !== undefined && { lease: held.lease }),
      granted: held.granted,
      spent: held.spent,
      returned: held.returned,
      want: Math.max(0, target - tokens),
    }
  }

  #take({ bucket, strict, lease, granted = 0 }: LeaseAnswer, sentMs: number): void {
    const held = this.#held.get(bucket)
    if (!held) return
    if (strict || lease === undefined) {
      forget(held)
      held.strictUntilMs = sentMs + STRICT_MS
      return
    }
    if (lease !== held.lease) forget(held)
    held.lease = lease
    held.granted = granted
    held.endsAtMs = sentMs + LEASE_MS
  }
}

const ADMITTED: LeaseDecision = { kind: 'admitted' }
const NONE: readonly string[] = []

function tokensOf({ granted, spent, returned }: Held): number {
  return Math.max(0, granted - spent - returned)
}

function forget(held: Held): void {
  held.lease = undefined
  held.granted = 0
  held.spent = 0
  held.returned = 0
}
