/** CSV as RFC 4180 has it, one record a line. */

const FORMULA = /^[=+\-@\t\r]/

/** A name that a spreadsheet would run as a formula gets an apostrophe in front, which it does not show. */
export function csvLine(fields: readonly (string | number | boolean | null)[]): string {
  return `${fields.map(csvField).join(',')}\n`
}

function csvField(field: string | number | boolean | null): string {
  const raw = field === null ? '' : String(field)
  const text = typeof field === 'string' && FORMULA.test(raw) ? `'${raw}` : raw
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** The fields of one line. Throws an Error for quotes that do not match: a field may not go over a line's end. */
export function parseCsvLine(line: string): string[] {
  const fields: string[] = []
  let at = 0
  do {
    const [field, end] = line[at] === '"' ? quotedField(line, at) : plainField(line, at)
    fields.push(field)
    at = end + 1
  } while (at <= line.length)
  return fields
}

function plainField(line: string, start: number): [string, number] {
  const comma = line.indexOf(',', start)
  const end = comma < 0 ? line.length : comma
  const field = line.slice(start, end)
  if (field.includes('"')) throw new Error('A quote stands in a field that is not quoted.')
  return [field.trim(), end]
}

function quotedField(line: string, start: number): [string, number] {
  let field = ''
  for (let at = start + 1; at < line.length; at += 1) {
    if (line[at] !== '"') {
      field += line[at]
    } else if (line[at + 1] === '"') {
      field += '"'
      at += 1
    } else {
      if (at + 1 < line.length && line[at + 1] !== ',') throw new Error('Something follows a closing quote.')
      return [field, at + 1]
    }
  }
  throw new Error('A quoted field is not closed on its line.')
}
