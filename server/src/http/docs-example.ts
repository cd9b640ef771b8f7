/** A `curl` line for a route, with a body made from its schema: the required members, or the examples they carry. */
import type { Operation } from './docs-page.ts'
import type { Schema } from './schema-words.ts'

export function curlOf(operation: Operation, issuer: string): string {
  const lines = [
    `curl${operation.method === 'GET' ? '' : ` -X ${operation.method}`} ${issuer}${pathOf(operation)}`,
  ]
  if (operation.security.length > 0) lines.push(`-H "Authorization: Bearer $POSTERN_OPERATOR_KEY"`)
  const content = operation.requestBody?.content
  const schema = content?.['application/json']?.schema
  if (schema && operation.requestBody?.required !== false) {
    lines.push(`-H 'Content-Type: application/json'`)
    lines.push(`-d '${JSON.stringify(sampleOf('', schema)).replaceAll("'", String.raw`'\''`)}'`)
  }
  return lines.join(' \\\n  ')
}

function pathOf({ path, parameters = [] }: Operation): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const parameter = parameters.find((one) => one.in === 'path' && one.name === name)
    return encodeURIComponent(String(parameter?.schema.examples?.[0] ?? `$${name.toUpperCase()}`)).replace(
      '%24',
      '$',
    )
  })
}

/** What the members are mostly about, where the schema has no example of its own. */
const SAMPLES: Readonly<Record<string, unknown>> = {
  name: 'Acme',
  owner: 'acme',
  resource: 'https://api.example.com',
  uri: 'https://api.example.com',
  scopes: ['orders:read'],
  credential: 'sk_live_…',
  expires_at: '2030-01-31T12:00:00Z',
}

function sampleOf(name: string, schema: Schema): unknown {
  if (schema.examples && schema.examples.length > 0) return schema.examples[0]
  if (schema.const !== undefined) return schema.const
  if (schema.enum) return schema.enum[0]
  if (schema.default !== undefined) return schema.default
  if (schema.properties)
    return Object.fromEntries(
      Object.entries(schema.properties)
        .filter(([member]) => schema.required?.includes(member))
        .map(([member, one]) => [member, sampleOf(member, one)]),
    )
  if (name === 'scopes' && schema.items?.properties)
    return [{ name: 'orders:read', description: 'Read orders' }]
  if (name in SAMPLES) return SAMPLES[name]
  if (schema.anyOf) return sampleOf(name, schema.anyOf[0] ?? {})
  if (schema.type === 'array') return schema.items ? [sampleOf(name, schema.items)] : []
  if (schema.type === 'integer' || schema.type === 'number') return schema.minimum ?? 1
  if (schema.type === 'boolean') return true
  if (schema.type === 'object') return {}
  return '…'
}
