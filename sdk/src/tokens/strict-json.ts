/**
 * JSON objects read strictly. What `JSON.parse` lets through and nobody should read: a member that comes twice is an
 * attack on whoever reads the other one, `__proto__` on whoever copies, deep nesting on every recursive function.
 */
import { decodeBase64url } from '../base64url.ts'

const DEEPEST = 32
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The JSON object of a base64url segment, or undefined. */
export function decodeJsonObject(segment: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = decoder.decode(decodeBase64url(segment))
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return countMembers(value, 1) === countNames(text)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined
  }
}

/** Members as parsed; NaN, which equals nothing, when there is what must not be parsed at all. */
function countMembers(value: object, depth: number): number {
  if (depth > DEEPEST) return Number.NaN
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value)
      if (typeof item === 'object' && item !== null) count += countMembers(item as object, depth + 1)
    return count
  }
  for (const name of Object.keys(value)) {
    if (name === '__proto__') return Number.NaN
    count += 1
    const member = (value as Record<string, unknown>)[name]
    if (typeof member === 'object' && member !== null) count += countMembers(member, depth + 1)
  }
  return count
}

/** Member names in valid JSON text: the strings that a colon follows. Jumps from quote to quote. */
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

/** An odd number of backslashes before it. */
function isEscaped(text: string, quote: number): boolean {
  let slashes = 0
  while (text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes += 1
  return slashes % 2 === 1
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}
