/**
 * JSON as it arrives, parsed strictly: UTF-8 (RFC 8259, section 8.1), no member twice, no `__proto__`, at most 32
 * levels. A member that comes twice is an attack on whoever reads the other one (a proxy that checks the first, a server
 * that obeys the last); deep nesting is one on every recursive function behind us.
 */
import { isUtf8 } from 'node:buffer'
import { findJsonFault, JSON_DEPTH_LIMIT, type JsonFault, PosternError } from '../kernel/index.ts'

const FAULTS: Readonly<Record<JsonFault, string>> = {
  nested: `The body is nested deeper than ${JSON_DEPTH_LIMIT} levels.`,
  proto: 'A member may not be named "__proto__".',
  twice: 'The body has an object with the same member twice.',
}

export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw badJson('The body is not UTF-8.')
  const text = bytes.toString('utf8')
  return parseJsonText(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
}

export function parseJsonText(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw badJson(`The body is not valid JSON${whereOf(error, text)}.`)
  }
  const fault = findJsonFault(value, text)
  if (fault) throw badJson(FAULTS[fault])
  return value
}

/** One JSON value a line; empty lines are skipped. A fault is named by its line. */
export function parseNdjson(bytes: Buffer): unknown[] {
  if (!isUtf8(bytes)) throw badJson('The body is not UTF-8.')
  const values: unknown[] = []
  for (const [index, line] of bytes.toString('utf8').split('\n').entries()) {
    if (line.trim() === '') continue
    try {
      values.push(parseJsonText(line))
    } catch (error) {
      throw badJson(`Line ${index + 1}: ${error instanceof Error ? error.message : 'not valid JSON.'}`)
    }
  }
  return values
}

function badJson(detail: string): PosternError {
  return new PosternError('invalid_json', detail)
}

/** V8's message repeats part of the body, which may be a credential: keep the position alone. */
function whereOf(error: unknown, text: string): string {
  if (text.trim() === '') return ': it is empty'
  const position = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined
  if (position !== undefined) return ` (at character ${Number(position) + 1})`
  return error instanceof Error && error.message.includes('end of JSON') ? ' (it ends too early)' : ''
}
