/**
 * Closes every object of a schema: what it does not name is refused. A caller's typing error (`expire_at`) must be
 * answered, not ignored; a key that was meant to expire and never does is how that ends otherwise. An object that says
 * what else it takes (`additionalProperties`, `patternProperties`, as a record does) keeps its word.
 */
type Schema = Readonly<Record<string, unknown>>

export function closeSchema(schema: unknown): object {
  return close(schema) as object
}

function close(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(close)
  if (typeof schema !== 'object' || schema === null) return schema
  const open = schema as Schema
  // Each part of an `allOf` would refuse the members of the others.
  if (open['allOf'] !== undefined)
    throw new Error('A schema with allOf cannot be closed: write one Type.Object with all members instead')
  const closed: Record<string, unknown> = { ...open }
  for (const word of ['items', 'anyOf', 'oneOf', 'additionalProperties', 'not'] as const)
    if (word in closed) closed[word] = close(closed[word])
  for (const word of ['properties', 'patternProperties'] as const)
    if (word in closed) closed[word] = closeMembers(closed[word] as Schema)
  if ('properties' in closed && !('additionalProperties' in closed) && !('patternProperties' in closed))
    closed['additionalProperties'] = false
  return closed
}

function closeMembers(members: Schema): Schema {
  return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, close(member)]))
}
