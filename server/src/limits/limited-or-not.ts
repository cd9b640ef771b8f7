/**
 * Whether a token that is about to be minted will be charged to anything. Verifiers that check tokens by themselves do
 * not see limits; the token tells them to ask. Where nothing in the deployment has limits, the answer costs no read:
 * it is remembered until a row of the feed may have changed it.
 */
import type { FeedReader, FeedRow } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import { type Charged, targetsOf } from './bound-limit.ts'
import { isFeedKindOfTarget } from './limit-target.ts'
import { findTargets, hasAnyTarget } from './store.ts'

export class LimitedOrNot {
  readonly #storage: Storage
  readonly #feed: Pick<FeedReader, 'position'>
  /** Nothing had limits when that was last read, and no row since then can have given any. */
  #isNothingLimited = false
  /** Counts the moments after which it has to be read again. */
  #doubts = 0

  constructor(storage: Storage, feed: Pick<FeedReader, 'position' | 'onRows' | 'onReset'>) {
    this.#storage = storage
    this.#feed = feed
    feed.onRows((rows) => {
      if (rows.some(mayLimit)) this.#doubt()
    })
    feed.onReset(() => this.#doubt())
  }

  /**
   * `rsn` is the token's. Limits that are set after it write a row that touches the token, so that what is remembered has
   * to be as new as `rsn`, and no newer. `charged` is asked only where something has limits.
   */
  isLimited(rsn: number, charged: () => Promise<Charged>): boolean | Promise<boolean> {
    return this.#isNothingLimited && rsn <= this.#feed.position ? false : this.#look(charged)
  }

  async #look(charged: () => Promise<Charged>): Promise<boolean> {
    const doubts = this.#doubts
    if (await hasAnyTarget(this.#storage)) {
      const found = await findTargets(this.#storage, targetsOf(await charged()))
      // A plan without limits counts: of its first ones the feed tells by the plan, which no token names.
      return found.some(({ target, plan }) => plan !== undefined || target.limits.length > 0)
    }
    if (this.#doubts === doubts) this.#isNothingLimited = true
    return false
  }

  #doubt(): void {
    this.#isNothingLimited = false
    this.#doubts++
  }
}

function mayLimit({ kind, effect }: FeedRow): boolean {
  return effect === 'changed' && isFeedKindOfTarget(kind)
}
