/** What a command says: data on stdout, as tables or JSON; remarks on stderr. */
import { styleText } from 'node:util'
import type { CliIo } from '../io.ts'
import { type Cell, type Column, type Style, Table } from './table.ts'
import { printable, widthOf } from './text.ts'
import { absoluteAndRelative, relative } from './times.ts'

const STYLES = { good: 'green', bad: 'red', warn: 'yellow', dim: 'dim', strong: 'bold' } as const

export class Output {
  readonly #io: CliIo
  readonly #wantsJson: () => boolean

  constructor(io: CliIo, wantsJson: () => boolean) {
    this.#io = io
    this.#wantsJson = wantsJson
  }

  /** Whether --json was said. */
  get isJson(): boolean {
    return this.#wantsJson()
  }

  /** One document. */
  async json(document: unknown): Promise<void> {
    await this.line(JSON.stringify(document, null, 2))
  }

  async line(text: string): Promise<void> {
    await this.#io.stdout.write(`${text}\n`)
  }

  /** A remark for a person: never part of what a script reads. */
  async note(text: string): Promise<void> {
    await this.#io.stderr.write(`${text}\n`)
  }

  table<Row>(columns: readonly Column<Row>[]): Table<Row> {
    return new Table(columns, this.#io.columns, (style, text) => this.paint(style, text))
  }

  async write(text: string): Promise<void> {
    await this.#io.stdout.write(text)
  }

  /** One thing, a line for each member that has something to say. */
  async card(members: readonly (readonly [string, Cell | string | undefined])[]): Promise<void> {
    const said = members.filter((member): member is [string, Cell | string] => member[1] !== undefined)
    const width = Math.max(...said.map(([name]) => widthOf(name)))
    for (const [name, value] of said) {
      const { text, style } = typeof value === 'string' ? { text: value } : value
      const shown = printable(text)
      await this.line(
        `${this.paint('dim', name)}${' '.repeat(width - widthOf(name) + 2)}${style ? this.paint(style, shown) : shown}`,
      )
    }
  }

  /** A time in a list or card; `none` when there is none. */
  time(iso: string | null | undefined, none = '-'): Cell {
    if (iso === null || iso === undefined) return { text: none, style: 'dim' }
    const now = this.#io.nowMs()
    return { text: absoluteAndRelative(iso, now), short: relative(Date.parse(iso), now) }
  }

  paint(style: Style, text: string): string {
    return this.#hasColor() ? styleText(STYLES[style], text, { validateStream: false }) : text
  }

  /** https://no-color.org: set to anything but the empty string. */
  #hasColor(): boolean {
    return this.#io.isTTY.stdout && !this.#io.env['NO_COLOR'] && this.#io.env['TERM'] !== 'dumb'
  }
}
