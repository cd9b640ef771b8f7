/** A JSON Schema in words, for the documentation. */
export interface Schema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly examples?: readonly unknown[]
  readonly format?: string
  readonly additionalProperties?: boolean | Schema
  readonly patternProperties?: Readonly<Record<string, Schema>>
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly maxItems?: number
}

/** The members of an object, of a list's items, or of a union's one object. */
export function membersOf(schema: Schema): { name: string; required: boolean; schema: Schema }[] {
  const object = objectIn(schema)
  return Object.entries(object?.properties ?? {}).map(([name, member]) => ({
    name,
    required: object?.required?.includes(name) === true,
    schema: member,
  }))
}

function objectIn(schema: Schema): Schema | undefined {
  if (schema.properties) return schema
  if (schema.items) return objectIn(schema.items)
  return schema.anyOf?.map(objectIn).find((branch) => branch !== undefined)
}

/** As in `string, at most 64 characters`. */
export function typeOf(schema: Schema): string {
  const words = [baseOf(schema), ...limitsOf(schema)]
  if (schema.default !== undefined) words.push(`${JSON.stringify(schema.default)} if left out`)
  return words.join(', ')
}

function baseOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' or ')
  if (schema.anyOf) return [...new Set(schema.anyOf.map(baseOf))].join(' or ')
  if (schema.type === 'array') return schema.items ? `list of ${baseOf(schema.items)}` : 'list'
  if (schema.type === 'integer') return 'whole number'
  if (schema.format === 'date-time') return 'time'
  if (schema.format === 'uri') return 'URI'
  if (schema.type === undefined) return schema.properties ? 'object' : 'any value'
  return typeof schema.type === 'string' ? schema.type : schema.type.join(' or ')
}

function limitsOf(schema: Schema): string[] {
  const limits: string[] = []
  if (schema.minimum !== undefined && schema.maximum !== undefined)
    limits.push(`${schema.minimum} to ${schema.maximum}`)
  else if (schema.minimum !== undefined) limits.push(`at least ${schema.minimum}`)
  else if (schema.maximum !== undefined) limits.push(`at most ${schema.maximum}`)
  if (schema.maxLength !== undefined) limits.push(`at most ${schema.maxLength} characters`)
  if (schema.maxItems !== undefined) limits.push(`at most ${schema.maxItems} items`)
  return limits
}
