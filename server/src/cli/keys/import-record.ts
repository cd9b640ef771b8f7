/** One line of an import → one key as the API takes it. Throws an Error that says what is wrong with the line. */
import { parseCsvLine } from '../output/csv.ts'

/** What every key has that does not say otherwise. */
export interface ImportDefaults {
  readonly owner?: string | undefined
  readonly resource?: string | undefined
  readonly tenant?: string | undefined
  readonly scopes: readonly string[]
  readonly prefix?: string | undefined
  readonly name?: string | undefined
  readonly environment?: string | undefined
  readonly expires_at?: string | null | undefined
  readonly expires_in_seconds?: number | undefined
}

export interface ImportRecord {
  /** Keys of one resource and tenant travel together. */
  readonly resource: string
  readonly tenant: string | undefined
  readonly key: Readonly<Record<string, unknown>>
}

export const FORMATS = ['ndjson', 'csv', 'digests'] as const
export type ImportFormat = (typeof FORMATS)[number]

/** Answers undefined for a line that holds no record: CSV's header. */
export type ReadRecord = (line: string) => ImportRecord | undefined

/** Known by the first line: a JSON object, a header with `digest`, or a digest. */
export function detectFormat(firstLine: string): ImportFormat {
  if (firstLine.trimStart().startsWith('{')) return 'ndjson'
  if (/(^|[,"\s])digest($|[,"\s])/i.test(firstLine)) return 'csv'
  return 'digests'
}

export function recordReader(format: ImportFormat, defaults: ImportDefaults): ReadRecord {
  if (format === 'ndjson') return (line) => toRecord(jsonMembers(line), defaults)
  if (format === 'digests') return (line) => toRecord({ digest: line.trim() }, defaults)
  let header: string[] | undefined
  return (line) => {
    const fields = parseCsvLine(line)
    if (header) return toRecord(csvMembers(header, fields), defaults)
    header = checkHeader(fields)
    return undefined
  }
}

const MEMBERS = [
  'digest',
  'encoding',
  'algorithm',
  'prefix',
  'last4',
  'owner',
  'name',
  'tenant',
  'resource',
  'scopes',
  'environment',
  'expires_at',
  'expires_in_seconds',
  'metadata',
  'ip_allow',
] as const

function toRecord(members: Readonly<Record<string, unknown>>, defaults: ImportDefaults): ImportRecord {
  const unknown = Object.keys(members).filter((name) => !(MEMBERS as readonly string[]).includes(name))
  if (unknown.length > 0)
    throw new Error(`There is no member "${unknown[0]}"; known are ${MEMBERS.join(', ')}.`)
  const endsItself = 'expires_at' in members || 'expires_in_seconds' in members
  const { expires_at: endAt, expires_in_seconds: endIn, ...others } = defaults
  const { resource, tenant, ...key } = {
    algorithm: 'sha256',
    ...others,
    ...(endsItself ? {} : { expires_at: endAt, expires_in_seconds: endIn }),
    ...members,
  } as Record<string, unknown>

  const digest = key['digest']
  if (typeof digest !== 'string' || digest === '') throw new Error('There is no digest.')
  if (key['owner'] === undefined)
    throw new Error('There is no owner; give one in the line, or --owner for all.')
  if (typeof resource !== 'string')
    throw new Error('There is no resource; give one in the line, or --resource for all.')
  if (tenant !== undefined && typeof tenant !== 'string') throw new Error('The tenant is not a text.')
  const encoding = key['encoding'] ?? encodingOf(digest)
  if (encoding === undefined)
    throw new Error('The digest is not a SHA-256 in hex (64 characters) or base64 (43 or 44).')
  return { resource, tenant, key: { prefix: '', ...key, encoding } }
}

function encodingOf(digest: string): 'hex' | 'base64' | undefined {
  if (/^[0-9a-f]{64}$/i.test(digest)) return 'hex'
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(digest) ? 'base64' : undefined
}

function jsonMembers(line: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new Error('This is not valid JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('This is not a JSON object.')
  return value as Record<string, unknown>
}

function checkHeader(fields: readonly string[]): string[] {
  const header = fields.map((field) => field.toLowerCase())
  const unknown = header.filter((name) => !(MEMBERS as readonly string[]).includes(name))
  if (unknown.length > 0)
    throw new Error(`The header names "${unknown[0]}"; known are ${MEMBERS.join(', ')}.`)
  if (!header.includes('digest')) throw new Error('The header has no column digest.')
  return header
}

/** An empty field leaves the member away. Lists are divided by spaces, metadata is a JSON object. */
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
  switch (name) {
    case 'scopes':
    case 'ip_allow':
      return text.split(/\s+/)
    case 'metadata':
      return jsonMembers(text)
    case 'expires_at':
      return text === 'never' ? null : text
    case 'expires_in_seconds':
      return Number(text)
    default:
      return text
  }
}
