/**
 * JSON as it arrives, parsed strictly: UTF-8 (RFC 8259, section 8.1), no member twice, no `__proto__`, at most 32
 * levels. A member that comes twice is an attack on whoever reads the other one (a proxy that checks the first, a server
 * that obeys the last); deep nesting is one on every recursive function behind us.
 */
import { isUtf8 } from 'node:buffer'
import { PosternError } from '../kernel/index.ts'

const DEPTH_LIMIT = 32

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
  if (typeof value !== 'object' || value === null) return value
  if (countMembers(value, 1) !== countNames(text))
    throw badJson('The body has an object with the same member twice.')
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

/** Counts members as parsed, and refuses what must not be parsed at all. Recursive, to at most DEPTH_LIMIT. */
function countMembers(value: object, depth: number): number {
  if (depth > DEPTH_LIMIT) throw badJson(`The body is nested deeper than ${DEPTH_LIMIT} levels.`)
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value)
      if (typeof item === 'object' && item !== null) count += countMembers(item, depth + 1)
    return count
  }
  for (const name of Object.keys(value)) {
    if (name === '__proto__') throw badJson('A member may not be named "__proto__".')
    count += 1
    const member = (value as Record<string, unknown>)[name]
    if (typeof member === 'object' && member !== null) count += countMembers(member, depth + 1)
  }
  return count
}

/** Counts member names in valid JSON text: the strings that a colon follows. Jumps from quote to quote. */
function countNames(text: string): number {
  let count = 0
  let at = text.indexOf('"')
  while (at >= 0) {
    let end = text.indexOf('"', at + 1)
    while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
    let next = end + 1
    while (isSpace(text.charCodeAt(next))) next += 1
    if (text.charCodeAt(next) === 0x3a) count += 1
    at = text.indexOf('"', next)
  }
  return count
}

/** Whether the quote at `end` is inside its string: an odd number of backslashes stands before it. */
function isEscaped(text: string, end: number): boolean {
  if (text.charCodeAt(end - 1) !== 0x5c) return false
  let slashes = 1
  while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes += 1
  return slashes % 2 === 1
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

/** V8's message repeats part of the body, which may be a credential: keep the position alone. */
function whereOf(error: unknown, text: string): string {
  if (text.trim() === '') return ': it is empty'
  const position = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined
  if (position !== undefined) return ` (at character ${Number(position) + 1})`
  return error instanceof Error && error.message.includes('end of JSON') ? ' (it ends too early)' : ''
}
