/**
 * NUL in text. Postgres cannot store it, SQLite cuts at it, and no name, owner or id has one; so it is refused at the
 * edge, once, instead of in every module. Only the verifier's route lets it pass: there it is a malformed credential.
 */
import { invalid } from '../kernel/index.ts'

export function refuseNul(url: string): void {
  if (url.includes('%00')) throw invalid('', 'The URL has a NUL character.')
}

/** `text` is the body as it came; `value` what it says. */
export function refuseNulInBody(text: string, value: unknown): void {
  // A bare NUL is not JSON: an escape is the only way in. The escape may itself be escaped, hence the second look.
  if (text.includes('\\u0000')) visit(value, '')
}

function visit(value: unknown, pointer: string): void {
  if (typeof value === 'string' && value.includes('\0'))
    throw invalid(pointer, 'A NUL character is not taken here.')
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    if (name.includes('\0')) throw invalid(pointer, 'A member name has a NUL character.')
    visit(member, `${pointer}/${name}`)
  }
}
