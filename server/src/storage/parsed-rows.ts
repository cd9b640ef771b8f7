/**
 * What rows mean, kept beside them: a row that is read again and is the same, member by member, is not parsed again and
 * answers the very same object. Nothing is ever out of date, since the row itself was read a moment ago.
 */

const MOST = 1_000

export class ParsedRows<Row extends { readonly id: string }, Meaning extends object> {
  readonly #parse: (row: Row) => Meaning
  #known = new Map<string, { row: Row; meaning: Meaning }>()

  constructor(parse: (row: Row) => Meaning) {
    this.#parse = parse
  }

  of(row: Row): Meaning {
    const known = this.#known.get(row.id)
    if (known && isSame(known.row, row)) return known.meaning
    if (this.#known.size >= MOST) this.#known = new Map()
    const meaning = this.#parse(row)
    this.#known.set(row.id, { row, meaning })
    return meaning
  }
}

function isSame<Row extends object>(one: Row, other: Row): boolean {
  for (const name in other) if (one[name] !== other[name]) return false
  return true
}
