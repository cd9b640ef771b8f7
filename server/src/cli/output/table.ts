/** Tables for people: aligned, cut to the terminal's width, with nothing in them that a terminal would obey. */
import { cut, printable, widthOf } from './text.ts'

export interface Cell {
  readonly text: string
  /** Taken when the table would be wider than the terminal. */
  readonly short?: string
  readonly style?: Style
}

export type Style = 'good' | 'bad' | 'warn' | 'dim' | 'strong'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => Cell | string
  readonly align?: 'right'
  /** May be cut; others, such as ids, are copied by people and stay whole. */
  readonly cuttable?: true
}

export type Paint = (style: Style, text: string) => string

const GAP = '  '
const NARROWEST = 8

/** Prints rows batch by batch; the first batch decides the widths, so that a long list can be streamed. */
export class Table<Row> {
  readonly #columns: readonly Column<Row>[]
  readonly #maxWidth: number
  readonly #paint: Paint
  #widths: number[] | undefined
  #short = false

  constructor(columns: readonly Column<Row>[], maxWidth: number | undefined, paint: Paint) {
    this.#columns = columns
    this.#maxWidth = maxWidth ?? Number.POSITIVE_INFINITY
    this.#paint = paint
  }

  /** Whole lines, each with its newline; the first time with the header. */
  lines(rows: readonly Row[]): string {
    const cells = rows.map((row) => this.#columns.map((column) => toCell(column.cell(row))))
    const first = this.#widths === undefined
    const widths = (this.#widths ??= this.#decideWidths(cells))
    const header = this.#columns.map(({ title }) => ({ text: title, style: 'dim' as const }))
    return [...(first ? [header] : []), ...cells].map((line) => this.#line(line, widths)).join('')
  }

  #decideWidths(cells: readonly (readonly Cell[])[]): number[] {
    const natural = (short: boolean): number[] =>
      this.#columns.map((column, at) =>
        Math.max(widthOf(column.title), ...cells.map((line) => widthOf(textOf(line[at], short)))),
      )
    let widths = natural(false)
    if (total(widths) <= this.#maxWidth) return widths
    this.#short = true
    widths = natural(true)
    for (let excess = total(widths) - this.#maxWidth; excess > 0; excess -= 1) {
      const widest = this.#widestCuttable(widths)
      if (widest === undefined) break
      widths[widest] = (widths[widest] as number) - 1
    }
    return widths
  }

  #widestCuttable(widths: readonly number[]): number | undefined {
    let widest: number | undefined
    for (const [at, width] of widths.entries())
      if (this.#columns[at]?.cuttable && width > NARROWEST && width > (widths[widest ?? -1] ?? 0)) widest = at
    return widest
  }

  #line(cells: readonly Cell[], widths: readonly number[]): string {
    const parts = cells.map((cell, at) => {
      const width = widths[at] ?? 0
      const whole = textOf(cell, this.#short)
      const text = this.#columns[at]?.cuttable ? cut(whole, width) : whole
      const padding = ' '.repeat(Math.max(0, width - widthOf(text)))
      const painted = cell.style ? this.#paint(cell.style, text) : text
      if (this.#columns[at]?.align === 'right') return padding + painted
      return at === cells.length - 1 ? painted : painted + padding
    })
    return `${parts.join(GAP).trimEnd()}\n`
  }
}

function toCell(cell: Cell | string): Cell {
  return typeof cell === 'string' ? { text: cell } : cell
}

function textOf(cell: Cell | undefined, short: boolean): string {
  return printable((short ? cell?.short : undefined) ?? cell?.text ?? '')
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1)
}
