/**
 * What `JSON.parse` lets through and nobody should read: a member that comes twice is an attack on whoever reads the
 * other one, `__proto__` on whoever copies, deep nesting on every recursive function behind us.
 */
export type JsonFault = 'nested' | 'proto' | 'twice'

export const JSON_DEPTH_LIMIT = 32

/** `value` is what `JSON.parse` made of `text`. */
export function findJsonFault(value: unknown, text: string): JsonFault | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const members = countMembers(value, 1)
  if (typeof members !== 'number') return members
  return members === countNames(text) ? undefined : 'twice'
}

/** Counts members as parsed, or says what must not be parsed at all. Recursive, to at most JSON_DEPTH_LIMIT. */
function countMembers(value: object, depth: number): number | JsonFault {
  if (depth > JSON_DEPTH_LIMIT) return 'nested'
  const isList = Array.isArray(value)
  let count = 0
  for (const name of Object.keys(value)) {
    if (!isList) {
      if (name === '__proto__') return 'proto'
      count += 1
    }
    const member = (value as Record<string, unknown>)[name]
    if (typeof member !== 'object' || member === null) continue
    const inner = countMembers(member, depth + 1)
    if (typeof inner !== 'number') return inner
    count += inner
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
