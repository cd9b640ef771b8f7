/**
 * The feed's rows that are in force, by the fingerprint of what they are about: 25 bytes a row in columns that grow by an
 * eighth, and an index of 4 to 10 bytes. Rows about the same thing are one row here: the last of them counts, except that
 * an end is never taken back.
 */
import { fingerprint, randomKey, WORDS } from './fingerprint.ts'
import type { FeedRow } from './feed-messages.ts'

/** What a row does to a credential that it touches. */
export const ASK = 1
/** Denies what is older than the row; what is newer lives. */
export const OLDER = 2
/** Denies for ever. */
export const ENDED = 3

const TERMINAL_KINDS: ReadonlySet<string> = new Set(
  'token api_key session grant signing_key proof_key'.split(' '),
)
/** Alive afterwards. A resource is none of them in what a server of today writes; read so, it denies rather too much. */
const LEVEL_KINDS: ReadonlySet<string> = new Set('tenant client subject actor resource'.split(' '))

const FIRST_ROWS = 1024
/** Looked at in one purge, however few there are; of many, one part in this many. */
const FEWEST_SWEPT = 1024
const SWEEPS = 32
/** Makes of a name's fingerprint that of its earlier level. */
const BESIDE = -1
/** Of the index: beyond it, a search for what is not there takes many steps. */
const FULLEST = 0.8

/** UTF-16 units of a fingerprint. */
export const PRINT_LENGTH = WORDS * 2

export class DenyTable {
  readonly #key = randomKey()
  readonly #probe = new Int32Array(WORDS)
  #prints = new Int32Array(FIRST_ROWS * WORDS)
  #seqs = new Float64Array(FIRST_ROWS)
  /** Unix seconds, rounded up. */
  #dropAfter = new Uint32Array(FIRST_ROWS)
  #effects = new Uint8Array(FIRST_ROWS)
  /** Number of the row plus one; 0 is free. Its length is a power of two. */
  #index = new Uint32Array(FIRST_ROWS * 2)
  #size = 0
  /** Where the purge goes on. */
  #cursor = 0
  #revision = 0
  #droppedUpTo = 0

  get size(): number {
    return this.#size
  }

  get bytes(): number {
    const columns = [this.#prints, this.#seqs, this.#dropAfter, this.#effects, this.#index]
    return columns.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  /** Counts the rows noted: what was checked at this count needs no second look. */
  get revision(): number {
    return this.#revision
  }

  /** Of the newest row dropped: what happened before it is no longer known in full. */
  get droppedUpTo(): number {
    return this.#droppedUpTo
  }

  /**
   * What the table is asked by; made once for a credential and kept with it. A string, of `PRINT_LENGTH` units for each:
   * a typed array of this size takes three times as much.
   */
  fingerprintsOf(refs: readonly string[]): string {
    const units: number[] = []
    const words = this.#probe
    for (let at = 0; at < refs.length; at++) {
      fingerprint(this.#key, refs[at] as string, words, 0)
      const [a, b, c] = [words[0] as number, words[1] as number, words[2] as number]
      // Of each number `fromCharCode` takes the lower 16 bits.
      units.push(a, a >>> 16, b, b >>> 16, c, c >>> 16)
    }
    // In one piece: a text that is put together keeps its pieces.
    return String.fromCharCode.apply(undefined, units)
  }

  note({ seq, kind, key, effect, dropAfterMs }: FeedRow): void {
    fingerprint(this.#key, `${kind}:${key}`, this.#probe, 0)
    this.#noteProbe(seq, forceOf(kind, effect), Math.ceil(dropAfterMs / 1000))
    this.#revision++
  }

  #noteProbe(seq: number, force: number, dropAfter: number): void {
    const row = this.#findWords(this.#probe[0] as number, this.#probe[1] as number, this.#probe[2] as number)
    if (row < 0) return this.#set(this.#append(), seq, force, dropAfter)
    const [knownSeq, known] = [this.#seqs[row] as number, this.#effects[row] as number]
    const knownDropAfter = this.#dropAfter[row] as number
    const isNewer = seq >= knownSeq
    // What has ended stays ended, whatever is said about it later.
    const lasting = force === ENDED || known === ENDED ? ENDED : isNewer ? force : known
    this.#set(row, Math.max(seq, knownSeq), lasting, Math.max(dropAfter, knownDropAfter))
    if (lasting !== ASK || Math.max(force, known) !== OLDER) return
    // Whoever is older than the level must not merely be asked about: the server may have lost it.
    this.#probe[WORDS - 1] = (this.#probe[WORDS - 1] as number) ^ BESIDE
    if (isNewer) this.#noteProbe(knownSeq, OLDER, knownDropAfter)
    else this.#noteProbe(seq, OLDER, dropAfter)
  }

  /** Whether a row after `after` is about one of these. */
  touchedSince(prints: string, after: number): boolean {
    for (let at = 0; at < prints.length; at += PRINT_LENGTH) {
      const row = this.#find(prints, at, 0)
      if (row >= 0 && (this.#seqs[row] as number) > after) return true
    }
    return false
  }

  /** Whether one of these has ended for ever. */
  hasEnded(prints: string): boolean {
    for (let at = 0; at < prints.length; at += PRINT_LENGTH) {
      const row = this.#find(prints, at, 0)
      if (row >= 0 && this.#effects[row] === ENDED) return true
    }
    return false
  }

  /** The strictest thing that the rows say of a credential with these refs and this position: 0, or one of the above. */
  forceOver(prints: string, rsn: number): number {
    let force = 0
    for (let at = 0; at < prints.length; at += PRINT_LENGTH) {
      const row = this.#find(prints, at, 0)
      if (row < 0) continue
      const effect = this.#effects[row] as number
      if (effect === ENDED) return ENDED
      if (force === OLDER || (this.#seqs[row] as number) <= rsn) continue
      force = effect === ASK && this.#levelBeside(prints, at) > rsn ? OLDER : Math.max(force, effect)
    }
    return force
  }

  /** The position of the level that something milder came after; 0 where there is none. */
  #levelBeside(prints: string, at: number): number {
    const row = this.#find(prints, at, BESIDE)
    return row < 0 ? 0 : (this.#seqs[row] as number)
  }

  /**
   * Drops rows whose time is over, by the server's clock. One call looks at a part of them, so that no request waits for
   * all of them: after `SWEEPS` calls, each was looked at.
   */
  purge(nowMs: number): void {
    const now = Math.floor(nowMs / 1000)
    let left = Math.max(FEWEST_SWEPT, Math.ceil(this.#size / SWEEPS))
    for (left = Math.min(left, this.#size); left > 0; left--) {
      if (this.#cursor >= this.#size) this.#cursor = 0
      // The last row comes into the place of one that goes, and is looked at next.
      if ((this.#dropAfter[this.#cursor] as number) < now) this.#drop(this.#cursor)
      else this.#cursor++
    }
    this.#fit()
  }

  #drop(row: number): void {
    this.#droppedUpTo = Math.max(this.#droppedUpTo, this.#seqs[row] as number)
    this.#free(this.#slotOf(row))
    const last = --this.#size
    if (row === last) return
    this.#index[this.#slotOf(last)] = row + 1
    this.#prints.copyWithin(row * WORDS, last * WORDS, (last + 1) * WORDS)
    this.#set(row, this.#seqs[last] as number, this.#effects[last] as number, this.#dropAfter[last] as number)
  }

  #slotOf(row: number): number {
    const mask = this.#index.length - 1
    let slot = (this.#prints[row * WORDS] as number) & mask
    while (this.#index[slot] !== row + 1) slot = (slot + 1) & mask
    return slot
  }

  /** Empties a slot, and moves up what would no longer be found behind it. */
  #free(freed: number): void {
    const index = this.#index
    const mask = index.length - 1
    let hole = freed
    for (let slot = (hole + 1) & mask; index[slot] !== 0; slot = (slot + 1) & mask) {
      const home = (this.#prints[((index[slot] as number) - 1) * WORDS] as number) & mask
      // Reached from its home without passing the hole: it stays.
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      index[hole] = index[slot] as number
      hole = slot
    }
    index[hole] = 0
  }

  #find(prints: string, at: number, beside: number): number {
    return this.#findWords(wordAt(prints, at), wordAt(prints, at + 2), wordAt(prints, at + 4) ^ beside)
  }

  #findWords(a: number, b: number, c: number): number {
    const index = this.#index
    const mask = index.length - 1
    const all = this.#prints
    for (let slot = a & mask; ; slot = (slot + 1) & mask) {
      const row = (index[slot] as number) - 1
      if (row < 0) return -1
      const word = row * WORDS
      if (all[word] === a && all[word + 1] === b && all[word + 2] === c) return row
    }
  }

  /** A new row for what is in `#probe`. */
  #append(): number {
    if (this.#size === this.#seqs.length) this.#resize(this.#size + (this.#size >> 3))
    if (this.#size + 1 > this.#index.length * FULLEST) this.#reindex(this.#index.length * 2)
    const row = this.#size++
    this.#prints.set(this.#probe, row * WORDS)
    this.#enter(row)
    return row
  }

  #enter(row: number): void {
    const mask = this.#index.length - 1
    let slot = (this.#prints[row * WORDS] as number) & mask
    while (this.#index[slot] !== 0) slot = (slot + 1) & mask
    this.#index[slot] = row + 1
  }

  #set(row: number, seq: number, effect: number, dropAfter: number): void {
    this.#seqs[row] = seq
    this.#effects[row] = effect
    this.#dropAfter[row] = dropAfter
  }

  /** Gives back what a burst of rows took. */
  #fit(): void {
    if (this.#seqs.length > FIRST_ROWS && this.#size < this.#seqs.length / 2)
      this.#resize(Math.max(FIRST_ROWS, this.#size + (this.#size >> 3)))
    let slots = FIRST_ROWS * 2
    while (this.#size > slots * FULLEST) slots *= 2
    // Not at the very edge: a row more or less must not have it built anew each time.
    if (slots * 2 < this.#index.length) this.#reindex(slots * 2)
  }

  #resize(rows: number): void {
    const kept = Math.min(rows, this.#size)
    this.#prints = resized(this.#prints, new Int32Array(rows * WORDS), kept * WORDS)
    this.#seqs = resized(this.#seqs, new Float64Array(rows), kept)
    this.#dropAfter = resized(this.#dropAfter, new Uint32Array(rows), kept)
    this.#effects = resized(this.#effects, new Uint8Array(rows), kept)
  }

  #reindex(slots: number): void {
    this.#index = new Uint32Array(slots)
    for (let row = 0; row < this.#size; row++) this.#enter(row)
  }
}

function wordAt(prints: string, at: number): number {
  return prints.charCodeAt(at) | (prints.charCodeAt(at + 1) << 16)
}

/** What this version does not know makes verifiers ask: whoever wrote it knows what it means. */
function forceOf(kind: string, effect: string): number {
  if (effect === 'deleted') return ENDED
  if (effect !== 'revoked') return ASK
  return TERMINAL_KINDS.has(kind) ? ENDED : LEVEL_KINDS.has(kind) ? OLDER : ASK
}

function resized<Column extends { set(from: Column): void; subarray(from: number, to: number): unknown }>(
  from: Column,
  to: Column,
  length: number,
): Column {
  to.set(from.subarray(0, length) as Column)
  return to
}
