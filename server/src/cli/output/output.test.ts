import assert from 'node:assert/strict'
import { it } from 'node:test'
import { csvLine, parseCsvLine } from './csv.ts'
import { Table, type Column } from './table.ts'
import { cut, printable, widthOf } from './text.ts'
import { absoluteAndRelative, duration, relative } from './times.ts'

interface Row {
  readonly id: string
  readonly name: string
  readonly count: number
  readonly at: string
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'ID', cell: ({ id }) => id },
  { title: 'NAME', cell: ({ name }) => name, cuttable: true },
  { title: 'N', cell: ({ count }) => String(count), align: 'right' },
  { title: 'AT', cell: ({ at }) => ({ text: `${at} and long`, short: at }) },
]
const plain = (_style: string, text: string): string => text
const row = (name: string, count = 1): Row => ({ id: 'key_1', name, count, at: 'now' })

it('aligns columns and leaves no spaces at the ends of lines', () => {
  const table = new Table(COLUMNS, undefined, plain)
  assert.equal(
    table.lines([row('a', 12), row('long name', 3)]),
    'ID     NAME        N  AT\nkey_1  a          12  now and long\nkey_1  long name   3  now and long\n',
  )
})

it('prints the header once, and keeps the widths, when rows come in batches', () => {
  const table = new Table(COLUMNS, undefined, plain)
  const first = table.lines([row('long name')])
  assert.equal(table.lines([row('b')]), 'key_1  b          1  now and long\n')
  assert.match(first, /^ID/)
})

it('takes short forms first and cuts names second when the terminal is narrow, but never ids', () => {
  const wide = row('a name that goes on and on and on')
  assert.equal(
    new Table(COLUMNS, 55, plain).lines([wide]).split('\n')[1],
    'key_1  a name that goes on and on and on  1  now',
  )
  const narrow = new Table(COLUMNS, 30, plain).lines([wide]).split('\n')[1]
  assert.equal(narrow, 'key_1  a name that go…  1  now')
})

it('shows no escape sequence, line break or reversed text out of a name', () => {
  assert.equal(printable('a\u001b[2Jb\r\nc\u202Ed\u0007'), 'a�[2Jb��c�d�')
  assert.match(new Table(COLUMNS, undefined, plain).lines([row('\u001b[31mred')]), /�\[31mred/)
})

it('counts wide and combining characters as terminals do', () => {
  assert.equal(widthOf('abc'), 3)
  assert.equal(widthOf('日本'), 4)
  assert.equal(widthOf('e\u0301'), 1)
  assert.equal(cut('日本語', 5), '日本…')
})

it('says how far away a time is', () => {
  const now = Date.parse('2027-01-15T12:00:00Z')
  const at = (seconds: number): string => relative(now + seconds * 1_000, now)
  assert.deepEqual([0, 30, -300, 7_200, -129_600, 2_592_000 - 2].map(at), [
    'just now',
    'just now',
    '5m ago',
    'in 2h',
    '36h ago',
    'in 30d',
  ])
  assert.equal(absoluteAndRelative('2027-01-15T14:00:00.000Z', now), '2027-01-15 14:00Z (in 2h)')
})

it('writes durations as the options take them', () => {
  assert.deepEqual([31_536_000, 43_200, 5_400, 61].map(duration), ['365d', '12h', '90m', '61s'])
})

it('quotes CSV, and defuses what a spreadsheet would run', () => {
  assert.equal(csvLine(['a,b', 'say "hi"', null, true, 5]), '"a,b","say ""hi""",,true,5\n')
  assert.equal(csvLine(['=HYPERLINK("x")', '-5', -5]), `"'=HYPERLINK(""x"")",'-5,-5\n`)
})

it('reads CSV, quoted fields and empty ones included', () => {
  assert.deepEqual(parseCsvLine('a, b ,,"c,""d""",'), ['a', 'b', '', 'c,"d"', ''])
  assert.deepEqual(parseCsvLine(''), [''])
  for (const line of ['"open', 'a"b', '"a"b']) assert.throws(() => parseCsvLine(line), /quote|closed/, line)
})
