/** One line of an import → one user as the API takes it. Throws an Error that says what is wrong with the line. */
import { parseCsvLine } from '../output/csv.ts'

export interface ImportDefaults {
  readonly tenant: string | undefined
  readonly roles: readonly string[]
}

/** Answers undefined for a line that holds no user: CSV's header. */
export type ReadUser = (line: string) => Readonly<Record<string, unknown>> | undefined

const MEMBERS = [
  'username',
  'email',
  'email_verified',
  'name',
  'metadata',
  'password_hash',
  'tenant',
  'roles',
] as const

/** NDJSON where the first line is an object, else CSV with a header. */
export function userReader(firstLine: string, defaults: ImportDefaults): ReadUser {
  if (firstLine.trimStart().startsWith('{')) return (line) => toBody(jsonObject(line), defaults)
  let header: string[] | undefined
  return (line) => {
    const fields = parseCsvLine(line)
    if (header) return toBody(csvMembers(header, fields), defaults)
    header = fields.map((field) => field.toLowerCase())
    refuseUnknown(header, 'The header names')
    return undefined
  }
}

function toBody(members: Readonly<Record<string, unknown>>, defaults: ImportDefaults) {
  refuseUnknown(Object.keys(members), 'There is no member')
  const { tenant = defaults.tenant, roles = defaults.roles, ...body } = members
  if (body['username'] === undefined && body['email'] === undefined)
    throw new Error('There is neither a username nor an e-mail address.')
  if (tenant === undefined) {
    if (members['roles'] !== undefined) throw new Error('Roles are held in a tenant, and none is named.')
    return body
  }
  return { ...body, tenants: [{ tenant, roles }] }
}

function refuseUnknown(names: readonly string[], what: string): void {
  const unknown = names.find((name) => !(MEMBERS as readonly string[]).includes(name))
  if (unknown !== undefined) throw new Error(`${what} "${unknown}"; known are ${MEMBERS.join(', ')}.`)
}

function jsonObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('This is not valid JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('This is not a JSON object.')
  return value as Record<string, unknown>
}

/** An empty field leaves the member away. Roles are divided by spaces, metadata is a JSON object. */
function csvMembers(header: readonly string[], fields: readonly string[]): Record<string, unknown> {
  if (fields.length !== header.length)
    throw new Error(`There are ${fields.length} fields, the header has ${header.length}.`)
  const members: Record<string, unknown> = {}
  for (const [at, name] of header.entries()) {
    const text = fields[at] ?? ''
    if (text !== '') members[name] = csvValue(name, text)
  }
  return members
}

function csvValue(name: string, text: string): unknown {
  if (name === 'roles') return text.split(/\s+/)
  if (name === 'metadata') return jsonObject(text)
  if (name !== 'email_verified') return text
  if (!/^(true|false)$/i.test(text)) throw new Error('email_verified is true or false.')
  return text.toLowerCase() === 'true'
}
