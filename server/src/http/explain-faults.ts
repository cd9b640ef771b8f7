/** Ajv's faults as sentences for whoever reads the answer at night: which member, and what it must be. */
import type { ErrorObject } from 'ajv'

export interface Fault {
  /** JSON Pointer (RFC 6901); for a query or path parameter, `/` and its name. */
  readonly pointer: string
  readonly detail: string
}

const FAULT_LIMIT = 20

export function explainFaults(part: string, faults: readonly ErrorObject[]): Fault[] {
  const explained: Fault[] = []
  const seen = new Set<string>()
  for (const fault of withoutBranches(faults)) {
    const pointer = pointerOf(fault).slice(0, 300)
    const detail = sentenceOf(part, fault)
    if (seen.has(pointer + detail)) continue
    seen.add(pointer + detail)
    explained.push({ pointer, detail })
    if (explained.length === FAULT_LIMIT) break
  }
  return explained
}

/**
 * A union reports each branch and then itself. Where a branch got further than the type (a fault deeper in it, or a
 * broken limit), that one is worth telling; otherwise the union alone is.
 */
function withoutBranches(faults: readonly ErrorObject[]): readonly ErrorObject[] {
  const unions = faults.filter((fault) => fault.keyword === 'anyOf' || fault.keyword === 'oneOf')
  if (unions.length === 0) return faults
  return faults.filter((fault) => {
    const union = unions.find((one) => fault !== one && fault.schemaPath.startsWith(`${one.schemaPath}/`))
    if (union) return isTelling(fault, union)
    if (!unions.includes(fault)) return true
    return !faults.some(
      (other) => other.schemaPath.startsWith(`${fault.schemaPath}/`) && isTelling(other, fault),
    )
  })
}

function isTelling(fault: ErrorObject, union: ErrorObject): boolean {
  if (fault.instancePath.length > union.instancePath.length) return true
  return !['type', 'const', 'enum'].includes(fault.keyword)
}

function pointerOf(fault: ErrorObject): string {
  const name: unknown =
    fault.keyword === 'required'
      ? fault.params['missingProperty']
      : fault.keyword === 'additionalProperties'
        ? fault.params['additionalProperty']
        : undefined
  if (typeof name !== 'string') return fault.instancePath
  return `${fault.instancePath}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

function sentenceOf(part: string, fault: ErrorObject): string {
  const limit: unknown = fault.params['limit']
  switch (fault.keyword) {
    case 'required':
      return part === 'body' ? 'this member is required' : 'this parameter is required'
    case 'additionalProperties':
      return `unknown ${part === 'body' ? 'member' : 'parameter'}${knownMembers(fault.parentSchema)}`
    case 'type':
      return `must be ${typeWords(fault.params['type'])}`
    case 'enum':
      return `must be one of ${list(fault.params['allowedValues'])}`
    case 'const':
      return `must be ${JSON.stringify(fault.params['allowedValue'])}`
    case 'anyOf':
    case 'oneOf':
      return unionWords(fault.schema)
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have at least ${String(limit)} characters`
    case 'maxLength':
      return `must have at most ${String(limit)} characters`
    case 'minItems':
      return limit === 1 ? 'must not be empty' : `must have at least ${String(limit)} items`
    case 'maxItems':
      return `must have at most ${String(limit)} items`
    case 'minProperties':
      return limit === 1 ? 'must name at least one member' : `must have at least ${String(limit)} members`
    case 'maxProperties':
      return `must have at most ${String(limit)} members`
    case 'uniqueItems':
      return 'must not contain the same item twice'
    case 'minimum':
      return `must be at least ${String(limit)}`
    case 'maximum':
      return `must be at most ${String(limit)}`
    case 'format':
      return formatWords(String(fault.params['format']))
    case 'pattern':
      return patternWords(fault.parentSchema)
    default:
      return fault.message ?? 'is not valid'
  }
}

/** An unknown member is mostly a misspelt one: name those that exist, where they are few. */
function knownMembers(schema: ErrorObject['parentSchema']): string {
  const names = Object.keys((schema?.['properties'] ?? {}) as object)
  return names.length > 0 && names.length <= 16 ? `; known are ${names.join(', ')}` : ''
}

const ARTICLES: Readonly<Record<string, string>> = {
  array: 'an array',
  boolean: 'true or false',
  integer: 'a whole number',
  null: 'null',
  number: 'a number',
  object: 'an object',
  string: 'a string',
}

function typeWords(type: unknown): string {
  const types = Array.isArray(type) ? type : String(type).split(',')
  return types.map((one) => ARTICLES[String(one)] ?? String(one)).join(' or ')
}

function unionWords(branches: unknown): string {
  if (!Array.isArray(branches)) return 'is not valid'
  const words = (branches as Record<string, unknown>[]).map((branch) =>
    'const' in branch
      ? JSON.stringify(branch['const'])
      : branch['enum'] !== undefined
        ? list(branch['enum'])
        : typeWords(branch['type']),
  )
  return words.length <= 3 ? `must be ${words.join(' or ')}` : `must be one of ${words.join(', ')}`
}

function list(values: unknown): string {
  return Array.isArray(values) ? values.map((value) => JSON.stringify(value)).join(', ') : 'the known values'
}

const FORMATS: Readonly<Record<string, string>> = {
  'date-time': 'must be a time as in 2030-01-31T12:00:00Z (RFC 3339)',
  uri: 'must be an absolute URI',
  uuid: 'must be a UUID',
  email: 'must be an e-mail address',
}

function formatWords(format: string): string {
  return FORMATS[format] ?? `must have the format ${format}`
}

/** A pattern means nothing at night; the schema's description does. */
function patternWords(schema: ErrorObject['parentSchema']): string {
  const description: unknown = schema?.['description']
  return typeof description === 'string'
    ? `has an unexpected form; expected: ${description}`
    : `must match ${String(schema?.['pattern'])}`
}
