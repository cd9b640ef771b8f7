/**
 * Validation of what a route takes, by Ajv. Bodies are strict: no value is turned into another type, and a member that
 * the schema does not know is refused by name. Query and path parameters arrive as text and are turned into the type
 * that the schema asks for.
 *
 * The validator that stops at the first fault runs on every request; the one that finds all of them is compiled and run
 * only when a request has failed, and only for a small body, so that a big bad one buys no work.
 */
import { createRequire } from 'node:module'
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv'
import type { FastifySchemaCompiler } from 'fastify'
import { PosternError } from '../kernel/index.ts'
import { closeSchema } from './close-schema.ts'
import { explainFaults } from './explain-faults.ts'

export type HttpPart = 'body' | 'querystring' | 'params' | 'headers'

/** Above this many values in it, a failed body is reported by its first fault alone. */
const THOROUGH_LIMIT = 2_000

const require = createRequire(import.meta.url)

const STRICT = { useDefaults: true, strict: false, strictSchema: false, validateFormats: true } as const

function newAjv(part: HttpPart, thorough: boolean): Ajv {
  // Loaded with the first request that is validated.
  const { Ajv: LoadedAjv } = require('ajv') as typeof import('ajv')
  const { default: addFormats } = require('ajv-formats') as typeof import('ajv-formats')
  const ajv = new LoadedAjv({
    ...STRICT,
    coerceTypes: part === 'body' ? false : 'array',
    allErrors: thorough,
    verbose: true,
  })
  addFormats(ajv)
  return ajv
}

export function createValidatorCompiler(): FastifySchemaCompiler<object> {
  const fast = new Map<boolean, Ajv>()
  const thorough = new Map<boolean, Ajv>()
  const ajvFor = (pool: Map<boolean, Ajv>, part: HttpPart): Ajv => {
    const existing = pool.get(part === 'body')
    if (existing) return existing
    const created = newAjv(part, pool === thorough)
    pool.set(part === 'body', created)
    return created
  }

  return ({ schema, httpPart }) => {
    const part = (httpPart ?? 'body') as HttpPart
    const closed = part === 'body' || part === 'querystring' ? closeSchema(schema) : schema
    // Compiled when the route is first called: a start pays for none, and most processes never call most routes.
    let compiled: ValidateFunction | undefined
    const validate = (data: unknown): boolean => {
      compiled ??= ajvFor(fast, part).compile(closed)
      return compiled(data) as boolean
    }
    let explain: ValidateFunction | undefined

    const needsNothing = part === 'body' && isOptionalObject(closed)

    return (data: unknown) => {
      // No body at all (Fastify says null) is an empty object where no member is required: `POST …/revoke` needs none.
      if (data === null && needsNothing) return validate((data = {})) && { value: data }
      if (validate(data)) return true
      let faults: ErrorObject[] = compiled?.errors ?? []
      if (isSmall(data)) {
        explain ??= ajvFor(thorough, part).compile(closed)
        explain(data)
        faults = explain.errors ?? faults
      }
      return { error: faulty(part, faults, data) }
    }
  }
}

function faulty(part: HttpPart, faults: readonly ErrorObject[], data: unknown): PosternError {
  if (part === 'body' && (data === null || data === undefined))
    return new PosternError('invalid_request', 'This route needs a JSON body.', {
      errors: [{ pointer: '', detail: 'A JSON body is needed.' }],
    })
  const errors = explainFaults(part, faults)
  const first = errors[0]
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  const detail = first ? `${whereOf(part, first.pointer)}${first.detail}${more}` : 'The request is not valid.'
  return new PosternError('invalid_request', detail, { errors })
}

function whereOf(part: HttpPart, pointer: string): string {
  if (part === 'querystring') return `Query parameter ${pointer.slice(1)}: `
  if (part === 'params') return `Path parameter ${pointer.slice(1)}: `
  return pointer === '' ? 'The body: ' : `${pointer}: `
}

/** Whether `{}` satisfies what the schema requires. */
export function isOptionalObject(schema: object): boolean {
  const { type, required, minProperties } = schema as Record<string, unknown>
  return (
    type === 'object' && (!Array.isArray(required) || required.length === 0) && minProperties === undefined
  )
}

function isSmall(data: unknown): boolean {
  let left = THOROUGH_LIMIT
  const visit = (value: unknown): boolean => {
    left -= 1
    if (left < 0) return false
    return typeof value !== 'object' || value === null || Object.values(value).every(visit)
  }
  return visit(data)
}
