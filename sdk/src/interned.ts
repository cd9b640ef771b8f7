/**
 * Texts and lists that many credentials have alike (a tenant, a client, the scopes of a role), each held once: it is less
 * to keep for a credential, and what a request looks at is more often at hand. Bounded: what is beyond is not shared.
 */

const MOST = 2_000
const LONGEST = 1_000

let words = new Map<string, string>()
let lists = new Map<string, readonly string[]>()

export function internedWord(word: string): string {
  const known = words.get(word)
  if (known !== undefined) return known
  if (word.length > LONGEST) return word
  if (words.size >= MOST) words = new Map()
  words.set(word, word)
  return word
}

/** Frozen. */
export function internedList(list: readonly string[]): readonly string[] {
  const name = list.join(' ')
  const known = lists.get(name)
  if (known !== undefined && isSame(known, list)) return known
  const frozen = Object.freeze(list.map(internedWord))
  if (name.length > LONGEST) return frozen
  if (lists.size >= MOST) lists = new Map()
  lists.set(name, frozen)
  return frozen
}

/** Two lists may have one name: a role is free to have a space in it. */
function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((word, index) => word === other[index])
}
