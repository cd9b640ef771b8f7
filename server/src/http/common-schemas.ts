/** Pieces of schemas that several modules' routes share. */
import { Type, type TSchema } from 'typebox'
import { invalid } from '../kernel/index.ts'

export const Rfc3339 = Type.String({ format: 'date-time', maxLength: 40, examples: ['2027-01-31T12:00:00Z'] })
export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
/** A name for people: no control characters. */
export const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001F\\u007F]+$' })
export const Reason = Type.String({ minLength: 1, maxLength: 500, pattern: '^[^\\u0000]+$' })
/** Any JSON object; how large it may be is each operation's rule. */
export const Metadata = Type.Record(Type.String(), Type.Unknown(), {
  description: 'Any JSON object, at most 4 kB.',
})
export const ScopeName = Type.String({ pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]{1,128}$' })
export const Scopes = Type.Array(ScopeName, { maxItems: 200 })
export const TenantId = Type.String({
  pattern: '^ten_[0-9A-Za-z]{22}$',
  examples: ['ten_0QxM1w3b7Zq8Rk5Jt2Hn9d'],
})

/** The path's `:id`. Text that is no id is simply not found, so its form is not checked here. */
export const IdParams = Type.Object({ id: Type.String({ maxLength: 200 }) })

export const PageQuery = {
  cursor: Type.Optional(Type.String({ maxLength: 2000, description: '`next_cursor` of the page before.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: '50 unless told.' })),
}

export const PageOf = <T extends TSchema>(item: T) =>
  Type.Object({ data: Type.Array(item), next_cursor: Nullable(Type.String()) })

/** Unix milliseconds of an RFC 3339 time; undefined stays undefined, null stays null. */
export function parseTime(pointer: string, text: string): number
export function parseTime(pointer: string, text: string | undefined): number | undefined
export function parseTime(pointer: string, text: string | null | undefined): number | null | undefined
export function parseTime(pointer: string, text: string | null | undefined): number | null | undefined {
  if (text === undefined || text === null) return text
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw invalid(pointer, 'This is not a time that exists.')
  return ms
}
